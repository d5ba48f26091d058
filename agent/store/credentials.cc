#include "agent/store/credentials.h"

#include <sstream>
#include <string_view>

namespace prewarm::agent {
namespace {

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// The keys of one [profile] of an AWS credentials file.
S3Credentials FromProfile(const std::string& file, std::string_view profile) {
  S3Credentials credentials;
  std::istringstream lines(file);
  bool inside = false;
  for (std::string raw; std::getline(lines, raw);) {
    const auto line = Trim(raw);
    if (line.starts_with('[')) {
      inside = line == "[" + std::string(profile) + "]";
      continue;
    }
    const auto equals = line.find('=');
    if (!inside || line.starts_with('#') || equals == std::string_view::npos) continue;
    const auto name = Trim(line.substr(0, equals));
    const std::string value(Trim(line.substr(equals + 1)));
    if (name == "aws_access_key_id") credentials.access_key = value;
    if (name == "aws_secret_access_key") credentials.secret_key = Secret(value);
    if (name == "aws_session_token") credentials.session_token = Secret(value);
  }
  return credentials;
}

}  // namespace

Result<S3Credentials> AmbientCredentials(const Environment& environment,
                                         const ReadFile& read_file) {
  const auto id = environment("AWS_ACCESS_KEY_ID").value_or("");
  const auto secret = environment("AWS_SECRET_ACCESS_KEY").value_or("");
  if (!id.empty() && !secret.empty()) {
    return S3Credentials{id, Secret(secret), Secret(environment("AWS_SESSION_TOKEN").value_or(""))};
  }
  const auto path = environment("AWS_SHARED_CREDENTIALS_FILE")
                        .value_or(environment("HOME").value_or("") + "/.aws/credentials");
  const auto profile = environment("AWS_PROFILE").value_or("default");
  if (const auto file = read_file(path)) {
    auto credentials = FromProfile(*file, profile);
    if (!credentials.access_key.empty() && !credentials.secret_key.empty()) return credentials;
  }
  return Fail(ErrorCode::kInvalidArgument,
              "no credentials for the store: the volume's setting has none. Set ACCESS_KEY and "
              "SECRET_KEY, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile \"" +
                  profile + "\" in " + path +
                  " (ACCESS_KEY=anonymous for a public bucket); roles of the machine or of the pod "
                  "are not supported");
}

}  // namespace prewarm::agent
