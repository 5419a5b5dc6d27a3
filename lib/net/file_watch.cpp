#include "net/file_watch.h"

#include <utility>

#include <sys/stat.h>

namespace muster::net {

FileWatch::FileWatch(std::vector<std::string> files) : files_(std::move(files)), seen_(look()) {}

bool FileWatch::has_changed() {
    std::vector<Stamp> before = look();
    before.swap(seen_);
    return before != seen_;
}

std::vector<FileWatch::Stamp> FileWatch::look() const {
    std::vector<Stamp> stamps;
    for (const std::string& file : files_) {
        struct stat status{};
        Stamp& stamp = stamps.emplace_back();
        if (::stat(file.c_str(), &status) == 0) {
            stamp = {status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
        }
    }
    return stamps;
}

}  // namespace muster::net
