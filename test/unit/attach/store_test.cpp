#include "attach/store.hpp"

#include <filesystem>
#include <fstream>

#include <catch2/catch_test_macros.hpp>

#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

using namespace railhead;
using namespace railhead::attach;
using railhead::test::must;

namespace {

Record record_of(const std::string& container, const std::string& pci = "0000:3b:00.2") {
  Record record;
  record.key = {"rail0", container, "net1"};
  record.device = *PciAddress::parse(pci);
  record.kind = KindName::user_vf;
  record.vf = VfPart{*PciAddress::parse("0000:3b:00.0"), 0, {}, {}};
  return record;
}

struct Folder {
  test::TemporaryFolder temp;
  Store store{temp.path() + "/run"};
  Folder() { must(store.prepare()); }
};

}  // namespace

TEST_CASE("Records and their folders are for root only, where kubelet made one too") {
  Folder folder;
  std::filesystem::permissions(folder.temp.path() + "/run", std::filesystem::perms{0755});
  must(folder.store.prepare());
  must(folder.store.save(record_of("c0")));
  const auto mode = [](const std::filesystem::path& path) {
    return static_cast<unsigned>(std::filesystem::status(path).permissions());
  };
  CHECK(mode(folder.temp.path() + "/run") == 0700);
  CHECK(mode(folder.temp.path() + "/run/attachments") == 0700);
  CHECK(mode(folder.temp.path() + "/run/attachments/" + record_name(record_of("c0").key)) == 0600);
}

TEST_CASE("A key has one record: a second is refused, and the first stays") {
  Folder folder;
  must(folder.store.save(record_of("c0")));
  CHECK(is(folder.store.save(record_of("c0", "0000:3b:00.3")), ErrorCode::already_exists));
  CHECK(must(folder.store.load(record_of("c0").key)) == record_of("c0"));
}

TEST_CASE("What a killed writer left of a record goes with the device's next one") {
  Folder folder;
  const std::string attachments = folder.temp.path() + "/run/attachments";
  std::ofstream(attachments + "/.0000:3b:00.2.new") << std::string(9999, '{');
  CHECK(must(folder.store.list()).records.empty());
  must(folder.store.save(record_of("c0")));
  CHECK(must(folder.store.load(record_of("c0").key)) == record_of("c0"));
  CHECK(must(must(host::Directory::open(attachments)).list(".")).size() == 1);
}

TEST_CASE("A device has one holder") {
  Folder folder;
  must(folder.store.save(record_of("c0")));
  must(folder.store.claim(record_of("c0")));
  CHECK(must(folder.store.owner(record_of("c0").device)) == record_of("c0"));
  CHECK(is(folder.store.claim(record_of("c1")), ErrorCode::already_exists));
}

TEST_CASE("Removing a record gives its device free, but not one that another holds") {
  Folder folder;
  must(folder.store.save(record_of("c0")));
  must(folder.store.claim(record_of("c0")));
  must(folder.store.save(record_of("c1")));
  must(folder.store.remove(record_of("c1")));
  CHECK(must(folder.store.owner(record_of("c0").device)) == record_of("c0"));
  must(folder.store.remove(record_of("c0")));
  CHECK(must(folder.store.owner(record_of("c0").device)) == std::nullopt);
  CHECK(must(folder.store.load(record_of("c0").key)) == std::nullopt);
}

TEST_CASE("A claim whose record is gone holds nothing") {
  Folder folder;
  must(folder.store.claim(record_of("c0")));
  CHECK(must(folder.store.owner(record_of("c0").device)) == std::nullopt);
  must(folder.store.remove_empty_claim(record_of("c0").device));
  must(folder.store.claim(record_of("c1")));
}

TEST_CASE("A record that cannot be read holds its device, and the error names the file") {
  Folder folder;
  must(folder.store.save(record_of("c0")));
  must(folder.store.claim(record_of("c0")));
  const std::string path =
      folder.temp.path() + "/run/attachments/" + record_name(record_of("c0").key);
  std::ofstream(path) << "{\"schema\":";
  auto owner = folder.store.owner(record_of("c0").device);
  REQUIRE(is(owner, ErrorCode::decode));
  CHECK(owner.error().message.find("0000:3b:00.2") != std::string::npos);
  std::ofstream(path) << R"({"schema":2,"network":7})";
  CHECK(folder.store.load(record_of("c0").key).error().message ==
        "the record " + path +
            " cannot be read; once no pod has its device, `railhead release 0000:3b:00.2 --force` "
            "gives it "
            "back as it was: network is 7: expected a string");
  CHECK(must(folder.store.list()).unreadable.size() == 1);
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("All records are listed, half-written ones are not seen") {
  Folder folder;
  must(folder.store.save(record_of("c0")));
  must(folder.store.save(record_of("c1", "0000:3b:00.3")));
  std::ofstream(folder.temp.path() + "/run/attachments/.tmp123") << "{";
  auto listing = must(folder.store.list());
  CHECK(listing.records.size() == 2);
  CHECK(listing.unreadable.empty());
}

TEST_CASE("Two keys never share a file name, however long they are") {
  const std::string longest(253, 'n');
  const AttachmentKey a{longest + "a", "c0", "net1"};
  const AttachmentKey b{longest + "b", "c0", "net1"};
  CHECK(record_name(a) != record_name(b));
  CHECK(record_name(a).size() <= 255);  // NAME_MAX
  CHECK(record_name({"n", "c0", "net1"}) == "c0@net1@n.json");
  CHECK(key_of_record_name("c0@net@1@n.json") == AttachmentKey{"n", "c0", "net@1"});
  CHECK(key_of_record_name(record_name(a)) == std::nullopt);
  CHECK(key_of_record_name("c0@n.json") == std::nullopt);
}

TEST_CASE("A record that somebody else may have written, or a way out of the folder, is none") {
  Folder folder;
  must(folder.store.save(record_of("c0")));
  must(folder.store.claim(record_of("c0")));
  const auto path = folder.store.folder() + "/" + record_name(record_of("c0").key);
  const device::DeviceId device = record_of("c0").device;
  SECTION("writable for others") {
    std::filesystem::permissions(path, std::filesystem::perms{0622});
    CHECK(is(folder.store.load(record_of("c0").key), ErrorCode::decode));
  }
  SECTION("a symbolic link") {
    std::filesystem::rename(path, folder.temp.path() + "/elsewhere");
    std::filesystem::create_symlink(folder.temp.path() + "/elsewhere", path);
    CHECK(is(folder.store.load(record_of("c0").key), ErrorCode::decode));
  }
  SECTION("a claim that leads elsewhere") {
    const auto claim = folder.temp.path() + "/run/devices/0000:3b:00.2";
    for (const auto* target :
         {"/etc/passwd", "../attachments/../../etc/passwd", "../attachments/", "x"}) {
      std::filesystem::remove(claim);
      std::filesystem::create_symlink(target, claim);
      INFO(target);
      CHECK(is(folder.store.owner(device), ErrorCode::decode));
    }
    std::filesystem::remove(claim);
    std::ofstream(claim) << "{}";
    CHECK(is(folder.store.owner(device), ErrorCode::decode));
    return;
  }
  CHECK(is(folder.store.owner(device), ErrorCode::decode));
}
