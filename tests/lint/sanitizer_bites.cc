// Does on purpose what the sanitizer of this build must stop. The test expects death: a build whose
// sanitizer was lost on the way would pass everything else.
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

namespace {

#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define PREWARM_THREAD_SANITIZER
#endif
#endif

#ifdef PREWARM_THREAD_SANITIZER
void Misbehave(int) {
  int shared = 0;
  std::thread other([&shared] { shared = 1; });
  shared = 2;
  other.join();
  std::printf("two threads wrote %d without order\n", shared);
}
#else
// Reads freed memory, or overflows a signed integer.
void Misbehave(int argument_count) {
  if (argument_count > 1) {
    int large = 0x7fffffff;
    large += argument_count;
    std::printf("overflowed to %d\n", large);
    return;
  }
  auto text = std::make_unique<std::string>("freed");
  const volatile std::string* dangling = text.get();
  text.reset();
  std::printf("read %d after free\n",
              static_cast<int>(*reinterpret_cast<const volatile char*>(dangling)));
}
#endif

}  // namespace

int main(int argc, char**) {
  Misbehave(argc);
  return 0;
}
