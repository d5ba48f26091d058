// A small S3 server that speaks real HTTP on a free port of the loopback, in threads of its own,
// and answers wrongly when it is told to. It exists for faults that a real server does not produce
// on demand; for everything else tests use a real one. It does not check signatures.
//
//   FakeS3 s3;
//   s3.Put("bucket/vol/chunks/0/0/1_0_4", "data");
//   s3.FailWhen(KeyContains("1_0_4"), S3Fault::Status(503, "SlowDown"), 2);  // twice
//   s3.FailWhen(Sometimes(0.1, seed), S3Fault::FlipBit(1000));
//   ... read http://127.0.0.1:<s3.port()>/bucket ...
//   EXPECT_EQ(s3.Fired().at("503"), 2);
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/fakes/s3_fault.h"

namespace prewarm::rig {

struct S3Request {
  std::string method;
  std::string target;                          // as sent
  std::string key;                             // decoded, "bucket/key"
  std::map<std::string, std::string> headers;  // names in lower case
  int number = 0;                              // 1 for the server's first request
  int connection = 0;                          // 1 for the server's first connection
};

using S3Predicate = std::function<bool(const S3Request&)>;

S3Predicate Always();
S3Predicate KeyContains(std::string part);
S3Predicate RequestNumber(int number);
// The same seed makes the same choices, request by request.
S3Predicate Sometimes(double probability, std::uint64_t seed);

class FakeS3 {
 public:
  struct Options {
    std::uint16_t port = 0;  // 0: a free one
    std::string address = "127.0.0.1";
    std::filesystem::path root;  // <root>/<bucket>/<key> are objects too
    bool checksums = true;       // x-amz-meta-crc32c, as JuiceFS stores it
  };
  static constexpr int kEveryTime = -1;

  FakeS3() : FakeS3(Options()) {}
  explicit FakeS3(Options options);
  FakeS3(const FakeS3&) = delete;
  FakeS3& operator=(const FakeS3&) = delete;
  ~FakeS3();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  // "http://127.0.0.1:<port>/<bucket>", as a volume's bucket.
  [[nodiscard]] std::string BucketUrl(const std::string& bucket) const;

  // `path` is "bucket/key". A bucket exists once it has an object (or a folder under the root).
  void Put(const std::string& path, std::string bytes);
  void Remove(const std::string& path);
  // The first rule that matches a request, in the order they were given, decides its answer; a rule
  // that has fired `times` is out. Predicates run one at a time.
  void FailWhen(S3Predicate when, S3Fault fault, int times = kEveryTime);
  void StopFailing();

  [[nodiscard]] std::vector<S3Request> Requests() const;
  [[nodiscard]] std::map<std::string, int> Fired() const;  // by the faults' names
  // Cuts every connection; the server listens on. Then or meanwhile new ones come.
  void CutConnections();

 private:
  struct Object {
    std::shared_ptr<const std::string> bytes;
    std::uint32_t crc32c = 0;
  };
  struct Rule {
    S3Predicate when;
    S3Fault fault;
    int left;
  };
  struct Answer;

  void Accept();
  void Serve(int socket, int number);
  S3Fault Note(S3Request& request);
  std::optional<Object> Find(const std::string& path);
  bool BucketExists(const std::string& path);
  Answer MakeAnswer(const S3Request& request, const S3Fault& fault);
  Answer ErrorAnswer(const S3Request& request, const S3Fault& fault);
  Answer ObjectAnswer(const S3Request& request, const Object& object, const S3Fault& fault);
  bool Send(int socket, Answer answer, const S3Fault& fault);
  bool SendPaced(int socket, std::string_view bytes, const S3Fault& fault);
  bool Pause(std::chrono::milliseconds time);  // false: the server stops
  void Stall();

  const Options options_;
  const int listener_;
  std::uint16_t port_ = 0;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable stopped_;
  bool stop_ = false;
  std::map<std::string, Object> objects_;
  std::vector<Rule> rules_;
  std::vector<S3Request> requests_;
  std::map<std::string, int> fired_;
  std::list<int> sockets_;
  std::vector<std::thread> threads_;

  std::thread acceptor_;
};

}  // namespace prewarm::rig
