// Makes the kernel refuse chosen system calls of one thread, by a seccomp filter: the real code
// runs against real refusals ("this file system has no O_TMPFILE") without such a file system at
// hand.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace prewarm::rig {

struct FailingCall {
  long number = 0;  // SYS_…
  int error_number = 0;
  unsigned argument = 0;   // looked at only if mask is not 0
  std::uint32_t mask = 0;  // fails if all these bits are set in the argument
};

// openat's third argument with the bit that makes it O_TMPFILE (O_DIRECTORY alone is innocent).
inline FailingCall NoNamelessFiles(int error_number) {
  return {SYS_openat, error_number, 2, 020000000};
}

// For the calling thread and those that it starts from now on; never undone.
inline bool FailFromNowOn(const std::vector<FailingCall>& calls) {
  std::vector<sock_filter> program;
  const auto load = [](std::size_t offset) {
    return sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
  };
  for (const FailingCall& call : calls) {
    const auto refuse = SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(call.error_number);
    const auto number = static_cast<std::uint32_t>(call.number);
    program.push_back(load(offsetof(seccomp_data, nr)));
    const std::uint8_t skip = call.mask == 0 ? 1 : 4;
    program.push_back(sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, skip));
    if (call.mask != 0) {
      program.push_back(load(offsetof(seccomp_data, args) + 8 * call.argument));
      program.push_back(sock_filter BPF_STMT(BPF_ALU | BPF_AND | BPF_K, call.mask));
      program.push_back(sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call.mask, 0, 1));
    }
    program.push_back(sock_filter BPF_STMT(BPF_RET | BPF_K, refuse));
  }
  program.push_back(sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
}

// Runs `body` on a thread of its own in which the calls fail. False if that could not be arranged.
inline bool WithFailingCalls(const std::vector<FailingCall>& calls,
                             const std::function<void()>& body) {
  bool arranged = false;
  std::thread([&] {
    arranged = FailFromNowOn(calls);
    if (arranged) body();
  }).join();
  return arranged;
}

}  // namespace prewarm::rig
