#include "common/metadata/redis_url.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/rig/environment.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::metadata {
namespace {

using Mode = RedisUrl::Mode;
using rig::Variables;

Result<RedisUrl> Parse(std::string_view text, Variables variables = {}) {
  return ParseRedisUrl(text, rig::With(std::move(variables)));
}

// What a URL means, as one line: easier to compare and to read in a table than the struct.
std::string Meaning(const RedisUrl& url) {
  constexpr const char* kModes[] = {"single", "unix", "sentinel", "cluster"};
  std::string text = kModes[static_cast<int>(url.mode)];
  for (const auto& host : url.hosts) text += " " + FormatHostPort(host);
  if (!url.socket_path.empty()) text += " " + url.socket_path;
  if (!url.master_name.empty()) text += " master=" + url.master_name;
  if (!url.user.empty()) text += " user=" + url.user;
  if (!url.password.empty()) text += " password=" + url.password.Reveal();
  text += " db=" + std::to_string(url.database);
  if (!url.tls) return text;
  text += " tls";
  if (!url.tls->verify) text += " insecure";
  if (!url.tls->ca_file.empty()) text += " ca=" + url.tls->ca_file;
  if (!url.tls->certificate_file.empty()) text += " cert=" + url.tls->certificate_file;
  if (!url.tls->key_file.empty()) text += " key=" + url.tls->key_file;
  if (!url.tls->server_name.empty()) text += " name=" + url.tls->server_name;
  return text;
}

struct Form {
  const char* text;
  const char* meaning;
};

TEST(RedisUrl, UnderstandsEveryFormThatTheClientTakes) {
  constexpr Form kForms[] = {
      {"redis://host", "single host:6379 db=0"},
      {"redis://host/", "single host:6379 db=0"},
      {"redis://host/3", "single host:6379 db=3"},
      {"redis://host/3/", "single host:6379 db=3"},
      {"redis://host:6380/15", "single host:6380 db=15"},
      {"redis://host:/1", "single host:6379 db=1"},
      {"redis://host/2147483647", "single host:6379 db=2147483647"},
      {"host", "single host:6379 db=0"},
      {"host:6380/2", "single host:6380 db=2"},
      {":secret@host/2", "single host:6379 password=secret db=2"},
      {"10.0.0.1:6379/1", "single 10.0.0.1:6379 db=1"},
      {"redis://[::1]:6380/1", "single [::1]:6380 db=1"},
      {"redis://[fd00::12]/1", "single [fd00::12]:6379 db=1"},
      {"redis://user:pw@[::1]/1", "single [::1]:6379 user=user password=pw db=1"},
      {"redis://:pw@host/1", "single host:6379 password=pw db=1"},
      {"redis://default:pw@host/1", "single host:6379 user=default password=pw db=1"},
      {"redis://user@host/1", "single host:6379 user=user db=1"},
      {"redis://user:@host/1", "single host:6379 user=user db=1"},
      {"redis://:p%40s%2Fs%3a%25@host/1", "single host:6379 password=p@s/s:% db=1"},
      {"redis://u%40ser:pw@host/1", "single host:6379 user=u@ser password=pw db=1"},
      {"redis://:a:b@host/1", "single host:6379 password=a:b db=1"},
      {"redis://:a@b@host/1", "single host:6379 password=a@b db=1"},
      {"redis://:a+b@host/1", "single host:6379 password=a+b db=1"},
      {"redis://host?db=4", "single host:6379 db=4"},
      {"redis://host/1?db=4", "single host:6379 db=4"},
      {"redis://host/1?pool_size=50&max-retries=10&client-cache=true", "single host:6379 db=1"},
      {"redis://host/1?&&x&=y", "single host:6379 db=1"},
      {"redis://host/1?tls-ca-cert-file=/ca.pem", "single host:6379 db=1"},
      {"rediss://host/1", "single host:6379 db=1 tls"},
      {"rediss://host:6390/1?tls-ca-cert-file=/ca.pem", "single host:6390 db=1 tls ca=/ca.pem"},
      {"rediss://host/1?tls_ca_cert_file=/ca.pem&tls_cert_file=/c.pem&tls_key_file=/k.pem",
       "single host:6379 db=1 tls ca=/ca.pem cert=/c.pem key=/k.pem"},
      {"rediss://host/1?tls-cert-file=/c%20d.pem&tls-key-file=/k+l.pem&tls-server-name=other",
       "single host:6379 db=1 tls cert=/c d.pem key=/k l.pem name=other"},
      {"rediss://host/1?tls_server_name=other", "single host:6379 db=1 tls name=other"},
      {"rediss://host/1?insecure-skip-verify=true", "single host:6379 db=1 tls insecure"},
      {"rediss://host/1?insecure_skip_verify=1", "single host:6379 db=1 tls insecure"},
      {"rediss://host/1?insecure-skip-verify=false", "single host:6379 db=1 tls"},
      {"rediss://host/1?insecure-skip-verify=", "single host:6379 db=1 tls"},
      {"unix:///run/redis.sock", "unix /run/redis.sock db=0"},
      {"unix:///run/redis.sock?db=7", "unix /run/redis.sock db=7"},
      {"unix://user:pw@/run/redis.sock?db=7", "unix /run/redis.sock user=user password=pw db=7"},
      {"unix:///run/a%20b@c.sock", "unix /run/a b@c.sock db=0"},
      {"redis://mymaster,10.0.0.1,10.0.0.2:26380/2",
       "sentinel 10.0.0.1:26380 10.0.0.2:26380 master=mymaster db=2"},
      {"redis://mymaster,s1:1,s2,s3/2", "sentinel s1:1 s2:26379 s3:26379 master=mymaster db=2"},
      {"redis://mymaster,s1:1,s2,s3:3/2", "sentinel s1:1 s2:3 s3:3 master=mymaster db=2"},
      {"redis://:pw@mymaster,s1/2", "sentinel s1:26379 master=mymaster password=pw db=2"},
      {"redis://mymaster,[fd00::1]:5,[fd00::2]",
       "sentinel [fd00::1]:5 [fd00::2]:26379 master=mymaster db=0"},
      {"rediss://mymaster,s1/2?insecure-skip-verify=yes",
       "sentinel s1:26379 master=mymaster db=2 tls insecure"},
      {"mymaster,s1,s2/1", "sentinel s1:26379 s2:26379 master=mymaster db=1"},
      {"redis://h1:7000,h2:7001,h3:7002/1", "cluster h1:7000 h2:7001 h3:7002 db=1"},
      {"redis://u:p@h1:7000,h2/1", "cluster h1:7000 h2:6379 user=u password=p db=1"},
      {"redis://[::1]:7000,[::1]:7001/9", "cluster [::1]:7000 [::1]:7001 db=9"},
      {"rediss://h1:7000,h2:7001/1", "cluster h1:7000 h2:7001 db=1 tls"},
  };
  for (const Form& form : kForms) {
    const auto url = Parse(form.text);
    ASSERT_TRUE(url) << form.text << ": " << url.error().message;
    EXPECT_EQ(Meaning(*url), form.meaning) << form.text;
  }
}

struct Mistake {
  const char* text;
  const char* said;  // part of the message
};

TEST(RedisUrl, SaysWhatIsWrongAndNeverThePassword) {
  constexpr Mistake kMistakes[] = {
      {"", "empty"},
      {"tikv://sEcret@pd:2379/x", "only Redis metadata is supported, not \"tikv\""},
      {"mysql://user:sEcret@(host:3306)/db", "not \"mysql\"; write redis://"},
      {"postgres://user:sEcret@host/db", "\"postgres\""},
      {"sqlite3://jfs.db", "\"sqlite3\""},
      {"badger:///data", "\"badger\""},
      {"etcd://host/prefix", "\"etcd\""},
      {"fdb:///etc/fdb.cluster", "\"fdb\""},
      {"memkv://x", "\"memkv\""},
      {"http://host/1", "\"http\""},
      {"redis://", "host name is missing"},
      {"redis:///1", "host name is missing"},
      {"redis://:6379/1", "host name is missing"},
      {"redis://host:0/1", "port must be a number from 1 to 65535"},
      {"redis://host:65536/1", "port must be a number from 1 to 65535"},
      {"redis://host:sEcret/1", "port must be a number from 1 to 65535"},
      {"redis://host:-1/1", "port must be a number from 1 to 65535"},
      {"redis://host/-1", "database must be a number"},
      {"redis://host/2147483648", "database must be a number from 0 to 2147483647"},
      {"redis://host/99999999999999999999", "database must be a number"},
      {"redis://host/one", "database must be a number"},
      {"redis://host/1/2", "database must be a number"},
      {"redis://host?db=x", "database must be a number"},
      {"redis://::1/1", "IPv6 address in brackets"},
      {"redis://[::1/1", "closing \"]\""},
      {"redis://[::1]x/1", "after the \"]\""},
      {"redis://:sEcret/x@host/1", "write it as %2F"},
      {"redis://user:sEcret%@host/1", "password has a \"%\""},
      {"redis://user:sEcret%zz@host/1", "password has a \"%\""},
      {"redis://us%2:sEcret@host/1", "user name has a \"%\""},
      {"redis://,s1,s2/1", "no master name"},
      {"redis://mymaster,/1", "host name is missing"},
      {"redis://mymaster,s1,,s2/1", "host name is missing"},
      {"redis://h1:7000,/1", "host name is missing"},
      {"unix://", "unix:///path"},
      {"unix:///", "unix:///path"},
      {"unix://run/redis.sock", "unix:///path"},
      {"unix:///run/redis.sock?db=sEcret", "database must be a number"},
      {"rediss://host/1?tls-cert-file=/c.pem", "go together"},
      {"redis://host/1?read-timeout=soon", "read-timeout"},
      {"redis://host/1?write_timeout=5x", "write-timeout"},
      {"rediss://host/1?tls-server-name=%", "tls-server-name"},
  };
  for (const Mistake& mistake : kMistakes) {
    const auto url = Parse(mistake.text);
    ASSERT_FALSE(url) << mistake.text;
    EXPECT_EQ(url.error().code, ErrorCode::kInvalidArgument) << mistake.text;
    EXPECT_NE(url.error().message.find(mistake.said), std::string::npos) << url.error().message;
    EXPECT_EQ(url.error().message.find("sEcret"), std::string::npos) << url.error().message;
  }
}

TEST(RedisUrl, ReadsTimeoutsAsTheClientsRedisLibraryDoes) {
  using std::chrono::milliseconds;
  const auto defaults = Parse("redis://host");
  EXPECT_EQ(defaults->read_timeout, milliseconds(30000));
  EXPECT_EQ(defaults->write_timeout, milliseconds(5000));
  const auto given = Parse("redis://host?read-timeout=45s&write_timeout=250ms");
  EXPECT_EQ(given->read_timeout, milliseconds(45000));
  EXPECT_EQ(given->write_timeout, milliseconds(250));
  const auto bare = Parse("redis://host?read-timeout=7&write-timeout=0");
  EXPECT_EQ(bare->read_timeout, milliseconds(7000));
  EXPECT_EQ(bare->write_timeout, milliseconds(5000));
  EXPECT_EQ(Parse("redis://host?read-timeout=-1")->read_timeout, std::chrono::hours(24));
  EXPECT_EQ(Parse("redis://host?read-timeout=999999h")->read_timeout, std::chrono::hours(24));
}

TEST(RedisUrl, TakesAMissingPasswordFromTheEnvironmentInTheClientsOrder) {
  const rig::TempDir folder;
  std::ofstream(folder / "password") << "  from file \n";
  const Variables all = {{"REDIS_PASSWORD", "redis"},
                         {"META_PASSWORD", "meta"},
                         {"META_PASSWORD_FILE", folder / "password"}};
  EXPECT_EQ(Parse("redis://:url@host", all)->password.Reveal(), "url");
  EXPECT_EQ(Parse("redis://user@host", all)->password.Reveal(), "redis");
  Variables fewer = all;
  fewer["REDIS_PASSWORD"] = "";
  EXPECT_EQ(Parse("redis://host", fewer)->password.Reveal(), "meta");
  fewer.erase("META_PASSWORD");
  EXPECT_EQ(Parse("redis://host", fewer)->password.Reveal(), "from file");
  fewer["META_PASSWORD_FILE"] = folder / "missing";
  const auto unreadable = Parse("redis://host", fewer);
  ASSERT_FALSE(unreadable);
  EXPECT_EQ(unreadable.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(unreadable.error().message.find(folder / "missing"), std::string::npos);
  EXPECT_TRUE(Parse("redis://:url@host", fewer)) << "the file is not needed then";
}

TEST(RedisUrl, GivesTheSentinelsPasswordToSentinelsOnly) {
  const Variables environment = {{"SENTINEL_PASSWORD", "watch"}, {"META_PASSWORD", "meta"}};
  EXPECT_EQ(Parse("redis://mymaster,s1", environment)->sentinel_password.Reveal(), "watch");
  EXPECT_EQ(Parse("redis://mymaster,s1", environment)->password.Reveal(), "meta");
  EXPECT_TRUE(Parse("redis://host", environment)->sentinel_password.empty());
}

TEST(RedisUrl, ShowsEverythingButThePassword) {
  constexpr Form kShown[] = {
      {"host", "redis://host:6379/0"},
      {"redis://:sEcret@host/1", "redis://:***@host:6379/1"},
      {"rediss://us:sEcret@[::1]:5/1?tls-server-name=x", "rediss://us:***@[::1]:5/1"},
      {"redis://us@host", "redis://us@host:6379/0"},
      {"unix://us:sEcret@/run/r.sock?db=3", "unix://us:***@/run/r.sock?db=3"},
      {"unix:///run/r.sock", "unix:///run/r.sock"},
      {"redis://:sEcret@mm,s1,s2:5/1", "redis://:***@mm,s1:5,s2:5/1"},
      {"redis://h1:7000,h2:7001/1", "redis://h1:7000,h2:7001/1"},
  };
  for (const Form& form : kShown) {
    const auto url = Parse(form.text);
    ASSERT_TRUE(url) << form.text;
    EXPECT_EQ(url->Display(), form.meaning);
  }
}

}  // namespace
}  // namespace prewarm::metadata
