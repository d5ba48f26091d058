"""Mutual TLS between agents and the controller: who may be which node, certificates that change while all
runs, and credentials that are handed over only where the operator says so."""

import ssl
import urllib.request

import pytest

from rig.certificates import Authority
from rig.fleet import TOKEN, AgentDaemon, Controller
from rig.process import wait_for
from rig.stores import S3Store
from rig.tree import random_bytes
from rig.volume import Volume


@pytest.fixture
def volume(folder, store_folder, redis, closing):
    store = S3Store(store_folder)
    closing.append(store)
    volume = Volume(folder / "volume", redis.new_database(), store)
    closing.append(volume)
    with volume.mount() as root:
        (root / "weights").write_bytes(random_bytes(6_000_000, 1))
    return volume


def secure_controller(folder, volume, authority, closing, **options):
    certificate, key = authority.issue("controller", "IP:127.0.0.1,DNS:localhost")
    controller = Controller(folder / "controller", {"models": {"meta": volume.meta, **options}},
                            tls={"certificate": str(certificate), "key": str(key),
                                 "client-ca": str(authority.certificate)})
    closing.append(controller)
    return controller


def secure_agent(folder, name, controller, authority, closing, certificate_of=None, env=None):
    certificate, key = authority.issue(certificate_of or name, f"DNS:{certificate_of or name}")
    agent = AgentDaemon(folder / name, name, [controller], env=env or {},
                        tls={"ca": str(controller.authority), "certificate": str(certificate), "key": str(key)})
    closing.append(agent)
    return agent


def test_an_agent_is_only_the_node_that_its_certificate_names(folder, volume, closing):
    authority, others = Authority(folder / "ca"), Authority(folder / "other-ca", "others")
    controller = secure_controller(folder, volume, authority, closing)
    controller.authority = authority.certificate
    good = secure_agent(folder, "node-a", controller, authority, closing, env=volume.store.env)
    controller.wait_for_nodes(1)
    liar = secure_agent(folder, "node-b", controller, authority, closing, certificate_of="node-c")
    stranger = secure_agent(folder, "node-d", controller, others, closing)
    controller.child.wait_until(
        lambda: "agent_refused node=node-b" in controller.child.log.read_text(), "the liar to be refused")
    assert controller.wait(controller.create({"volume": "models"})["id"])["state"] == "succeeded"
    names = {node["name"] for node in controller.call("GET", "/api/v1/nodes")["nodes"]}
    assert names == {"node-a"}
    assert good.child.running(), good.child.output()
    assert liar.child.running(), liar.child.output()
    assert stranger.child.running(), stranger.child.output()


def test_certificates_change_while_everything_runs(folder, volume, closing):
    authority = Authority(folder / "ca")
    controller = secure_controller(folder, volume, authority, closing)
    controller.authority = authority.certificate
    agent = secure_agent(folder, "node-a", controller, authority, closing, env=volume.store.env)
    controller.wait_for_nodes(1)

    def serial():
        pem = ssl.get_server_certificate(("127.0.0.1", controller.http))
        return pem
    before = serial()
    authority.issue("controller", "IP:127.0.0.1,DNS:localhost")
    authority.issue("node-a", "DNS:node-a")
    wait_for(lambda: serial() != before, "the new certificate on the HTTP port")
    assert controller.wait(controller.create({"volume": "models"})["id"])["state"] == "succeeded"
    agent.kill()
    agent.start()
    controller.wait_for_nodes(1)
    again = controller.create({"volume": "models"})
    assert controller.wait(again["id"])["state"] == "succeeded"


def test_an_agent_without_a_certificate_says_what_it_needs_and_callers_need_none(folder, volume, closing):
    authority = Authority(folder / "ca")
    controller = secure_controller(folder, volume, authority, closing)
    controller.authority = authority.certificate
    agent = AgentDaemon(folder / "node-a", "node-a", [controller], tls={"ca": str(authority.certificate)})
    closing.append(agent)
    assert agent.child.process.wait(20) == 2
    assert "controller.certificate" in agent.child.output()
    assert "NAME" in controller.ctl("get", "volumes")


@pytest.mark.parametrize("credentials, state", [("ambient", "failed"), ("handed-over", "succeeded")])
def test_credentials_are_handed_over_only_where_the_operator_says_so(folder, volume, closing, credentials, state):
    controller = Controller(folder / "controller", {"models": {"meta": volume.meta, "credentials": credentials}})
    closing.append(controller)
    closing.append(AgentDaemon(folder / "node-a", "node-a", [controller]))  # has none of its own
    controller.wait_for_nodes(1)
    ended = controller.wait(controller.create({"volume": "models"})["id"], seconds=90)
    assert ended["state"] == state, ended
    secret = volume.store.env["SECRET_KEY"]
    assert secret not in controller.child.log.read_text()
    request = urllib.request.Request(f"http://127.0.0.1:{controller.http}/config",
                                     headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        shown = answer.read().decode()
    assert secret not in shown and TOKEN not in shown
