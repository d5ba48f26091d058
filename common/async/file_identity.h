// Whether files changed, without reading them: for what is read again when it is replaced.
#pragma once

#include <span>
#include <string>

namespace prewarm {

// Differs after any of the files was replaced, changed, removed or came to be; names may be empty.
// Looks through links, so that turning one, as Kubernetes does with its volumes, is a change.
// Blocks on the file system for a moment: for a pool.
std::string FileIdentity(std::span<const std::string> files);

}  // namespace prewarm
