#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

namespace muster {

/// The real file system, on which nothing can be appended to a write-ahead log while `full` is set or `is_full` says
/// so. For tests; outlives the databases on it. Any thread.
class FullDisk final : public rocksdb::FileSystemWrapper {
 public:
    FullDisk() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}

    [[nodiscard]] const char* Name() const override { return "FullDisk"; }
    rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* file,
                                      rocksdb::IODebugContext* debug) override {
        auto status = FileSystemWrapper::NewWritableFile(name, options, file, debug);
        if (status.ok() && name.ends_with(".log")) {
            *file = std::make_unique<File>(std::move(*file), *this);
        }
        return status;
    }

    std::atomic<bool> full{false};
    std::function<bool()> is_full;  ///< set before a database is opened

 private:
    class File final : public rocksdb::FSWritableFileOwnerWrapper {
     public:
        File(std::unique_ptr<rocksdb::FSWritableFile> file, const FullDisk& disk)
            : FSWritableFileOwnerWrapper(std::move(file)), disk_(disk) {}

        using FSWritableFileOwnerWrapper::Append;
        rocksdb::IOStatus Append(const rocksdb::Slice& bytes, const rocksdb::IOOptions& options,
                                 rocksdb::IODebugContext* debug) override {
            return disk_.full || (disk_.is_full && disk_.is_full())
                       ? rocksdb::IOStatus::NoSpace("the disk is full")
                       : FSWritableFileOwnerWrapper::Append(bytes, options, debug);
        }

     private:
        const FullDisk& disk_;
    };
};

}  // namespace muster
