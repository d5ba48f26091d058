#!/bin/bash
# For clusters without cert-manager: prints the Secrets prewarm-controller-tls and prewarm-agent-tls, signed by an
# authority that is made for them and whose key is thrown away. To renew, run it again and apply what it prints.
# Which node an agent is of its token says. Only agents that show none have to be in the certificate: name their nodes.
# For components/prefer-warm: put the value of ca.crt as it is printed, in base64, into clientConfig.caBundle of the
# webhook (components/prefer-warm/webhook.yaml).
# Usage: deploy/kubernetes/make-certificates.sh [DAYS [NODE…]] | kubectl apply -f -
set -euo pipefail

days=${1:-365}
nodes=("${@:2}")
namespace=prewarm-system
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
umask 077
cd "$folder"

key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)

# issue NAME USAGE ALTERNATIVES
issue() {
  openssl req "${key[@]}" -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
  printf 'subjectAltName=%s\nextendedKeyUsage=%s\nbasicConstraints=critical,CA:false\n' "$3" "$2" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days "$days" -extfile "$1.ext" \
    -out "$1.crt" 2>/dev/null
}

secret() {
  cat <<TEXT
---
apiVersion: v1
kind: Secret
metadata:
  name: $1-tls
  namespace: $namespace
  labels: {app.kubernetes.io/name: $1, app.kubernetes.io/part-of: prewarm}
type: kubernetes.io/tls
data:
  ca.crt: $(base64 -w 0 ca.crt)
  tls.crt: $(base64 -w 0 "$1.crt")
  tls.key: $(base64 -w 0 "$1.key")
TEXT
}

openssl req -x509 "${key[@]}" -keyout ca.key -out ca.crt -days "$days" -subj "/CN=prewarm authority" 2>/dev/null
service=prewarm-controller
issue prewarm-controller serverAuth \
  "DNS:$service,DNS:$service.$namespace,DNS:$service.$namespace.svc,DNS:$service.$namespace.svc.cluster.local,\
DNS:prewarm-webhook.$namespace.svc"
issue prewarm-agent clientAuth "DNS:prewarm-agent$(IFS= && echo "${nodes[*]/#/,DNS:}")"
secret prewarm-controller
secret prewarm-agent
