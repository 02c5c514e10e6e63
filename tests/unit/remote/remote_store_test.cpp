// A store and its remote, with a server that is scripted and a clock that stands still.
#include "pipeline/remote/remote_store.h"

#include <catch2/catch.hpp>

#include "pipeline/store/layout.h"
#include "tests/support/sample_outcome.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using namespace satdl::test;

namespace {

const SigningKey& ci() {
    static const SigningKey key = generate_signing_key("ci");
    return key;
}

// A user: a store of their own, and the server that all of them share.
class User {
public:
    explicit User(std::map<std::string, std::string>* shared, RemotePolicy policy = {.trust = {.keys = {ci().public_key()}}, .key = ci()})
        : open(folder.path() / "store", Access::ReadWrite), shared_(shared) {
        auto transport = std::make_unique<ScriptedTransport>();
        server = transport.get();
        if (shared != nullptr) server->files = *shared;
        cache = std::make_unique<RemoteCache>(
            std::move(transport), std::move(policy), RemoteMemory(open.index(), Access::ReadWrite, "scripted", [this] { return wall; }),
            RemoteCache::World{[this] { return now; }, [this] { return stopped.load(); },
                               [this](const std::string& text) { warnings.push_back(text); }});
        store = std::make_unique<RemoteStore>(open, *cache);
    }

    Published publish(int number) {
        return store->publish(sample_recipe(number), sample_description(), sample_outcome(static_cast<float>(number)));
    }
    RemoteUse finish() {
        store->finish_uploads(std::chrono::seconds(60), [this] { stopped = true; });
        if (shared_ != nullptr) *shared_ = server->files;
        return cache->use();
    }

    TempFolder folder{TempFolder::Where::Memory};
    OpenStore open;
    double now = 0, wall = 1.7e9;
    std::atomic<bool> stopped{false};
    std::vector<std::string> warnings;
    ScriptedTransport* server = nullptr;
    std::unique_ptr<RemoteCache> cache;
    std::unique_ptr<RemoteStore> store;

private:
    std::map<std::string, std::string>* const shared_;
};

// What one user has published.
std::map<std::string, std::string> uploaded(int count = 1) {
    std::map<std::string, std::string> files;
    User maker(&files);
    for (int number = 0; number < count; ++number) REQUIRE(maker.publish(number) == Published::New);
    REQUIRE(maker.finish().uploads == static_cast<std::uint64_t>(count));
    REQUIRE(files.size() == 2 * static_cast<std::size_t>(count));
    return files;
}

std::string only_name(const std::map<std::string, std::string>& files, const std::string& start) {
    for (const auto& [name, text] : files)
        if (name.starts_with(start)) return name;
    return "";
}

}  // namespace

TEST_CASE("what one user publishes another finds, reads and has") {
    auto files = uploaded();
    User user(&files);
    const auto found = user.store->find(sample_key());
    REQUIRE(found);
    CHECK(found->is_remote);
    CHECK(found->ports == port_digests(sample_outcome(0)));
    CHECK_FALSE(user.store->is_here(sample_key()));
    CHECK(user.store->header(sample_key())->metrics.at("metrics").at("accuracy") == 0.1);
    CHECK(user.server->asked.size() == 1);  // for the record alone

    const auto outcome = user.store->load(sample_key());
    REQUIRE(outcome);
    CHECK(equal(*outcome, sample_outcome(0)));
    CHECK(user.store->is_here(sample_key()));
    CHECK_FALSE(user.store->find(sample_key())->is_remote);
    const RemoteUse use = user.finish();
    CHECK(use.found == 1);
    CHECK(use.downloads == 1);
    CHECK_FALSE(use.lost());
    CHECK(user.warnings.empty());
    CHECK(user.open.files().list(user.open.folder() / store_layout::kStaging).empty());
}

TEST_CASE("an artifact is there before its record says so") {
    std::map<std::string, std::string> files;
    User maker(&files);
    REQUIRE(maker.publish(0) == Published::New);
    (void)maker.finish();
    const auto& asked = maker.server->asked;
    const auto place = [&](const std::string& start) {
        return std::ranges::find_if(asked, [&](const std::string& one) { return one.starts_with(start); }) - asked.begin();
    };
    CHECK(place("put cas/") < place("put ac/"));
}

TEST_CASE("many keys are looked up together, each once, and a miss is remembered for an hour") {
    auto files = uploaded(2);
    const std::vector<Digest> keys{sample_key(0), sample_key(1), sample_key(2), sample_key(2)};
    User user(&files);
    user.store->look_up(keys);
    CHECK(user.server->batches == 1);
    CHECK(user.server->asked.size() == 3);
    for (const Digest& key : keys) (void)user.store->find(key);
    CHECK(user.server->asked.size() == 3);

    // Another process on the same store.
    const auto again = [&](RemotePolicy policy) {
        auto transport = std::make_unique<ScriptedTransport>();
        ScriptedTransport& server = *transport;
        server.files = files;
        RemoteCache cache(std::move(transport), std::move(policy),
                          RemoteMemory(user.open.index(), Access::ReadWrite, "scripted", [&] { return user.wall; }),
                          {[] { return 0.0; }, [] { return false; }, [](const std::string&) {}});
        cache.look_up(keys);
        return server.asked.size();
    };
    const RemotePolicy policy{.trust = {.keys = {ci().public_key()}}};
    CHECK(again(policy) == 0);
    user.wall += 3599;
    CHECK(again(policy) == 0);
    user.wall += 2;
    CHECK(again(policy) == 1);
    user.wall -= 100'000;  // the clock was set back
    CHECK(again(policy) == 1);
    CHECK(again({.trust = policy.trust, .refresh = true}) == 3);
    CHECK(again({}) == 2);  // nobody is trusted any more: what was remembered is not used
}

TEST_CASE("whatever is wrong with an artifact of the remote is a miss, said once, and replaced") {
    auto files = uploaded();
    const std::string blob = only_name(files, "cas/");
    const auto [damage, is_said] = GENERATE(table<std::string, bool>(
        {{"gone", false}, {"short", true}, {"long", true}, {"changed", true}, {"empty", true}, {"foreign", true}}));
    std::string& bytes = files.at(blob);
    const std::string good = bytes;
    if (damage == "gone") files.erase(blob);
    else if (damage == "short") bytes.pop_back();
    else if (damage == "long") bytes += 'x';
    else if (damage == "changed") bytes[bytes.size() / 2] ^= 1;
    else if (damage == "empty") bytes.clear();
    else bytes = std::string(bytes.size(), 'x');
    INFO(damage);

    User user(&files);
    REQUIRE(user.store->find(sample_key()));
    CHECK_FALSE(user.store->load(sample_key()));
    CHECK_FALSE(user.store->find(sample_key()));
    CHECK(user.warnings.size() == (is_said ? 1 : 0));
    CHECK_FALSE(user.open.files().stamp(user.open.store().path_of(sample_key())));
    CHECK(user.open.files().list(user.open.folder() / store_layout::kStaging).empty());

    CHECK(user.publish(0) == Published::New);  // the producer has run
    CHECK(user.finish().uploads == 1);
    CHECK(files.at(blob) == good);
    User next(&files);
    CHECK(next.store->load(sample_key()));
}

TEST_CASE("whatever is wrong with a record is a miss, said once, and replaced") {
    auto files = uploaded(2);
    std::string& bytes = files.at(record_name(sample_key(0)));
    const std::string good = bytes;
    const auto damage = GENERATE(as<std::string>{}, "of another key", "empty", "a page", "changed", "cut", "unsigned", "signed by mallory");
    if (damage == "of another key") bytes = files.at(record_name(sample_key(1)));
    else if (damage == "empty") bytes.clear();
    else if (damage == "a page") bytes = "<html>welcome to the airport</html>";
    else if (damage == "changed") bytes[bytes.find("Sha256: ") + 10] ^= 1;
    else if (damage == "cut") bytes.resize(bytes.size() / 2);
    else {
        auto parsed = parse_record(*text_in_action_result(good), sample_key(), {.keys = {ci().public_key()}});
        const RemoteRecord& record = std::get<RemoteRecord>(parsed);
        std::vector<std::string> signatures;
        if (damage == "signed by mallory") signatures.push_back(sign(generate_signing_key("mallory"), signed_text(record)));
        bytes = as_action_result(record, record_text(record, signatures));
    }
    INFO(damage);
    User user(&files);
    CHECK_FALSE(user.store->find(sample_key()));
    CHECK_FALSE(user.store->load(sample_key()));
    CHECK(user.warnings.size() == 1);
    CHECK(user.publish(0) == Published::New);
    CHECK(user.finish().uploads == 1);
    User next(&files);
    CHECK(next.store->find(sample_key()));
    CHECK(next.warnings.empty());
}

TEST_CASE("two users who do not trust each other leave each other's signatures under one result") {
    auto files = uploaded();
    const SigningKey bob = generate_signing_key("bob");
    User user(&files, {.trust = {.keys = {bob.public_key()}}, .key = bob});
    CHECK_FALSE(user.store->find(sample_key()));
    CHECK(user.publish(0) == Published::New);
    CHECK(user.finish().uploads == 1);
    for (const SigningKey* const key : {&ci(), &bob}) {
        User reader(&files, {.trust = {.keys = {key->public_key()}}});
        CHECK(reader.store->find(sample_key()));
    }
}

TEST_CASE("a remote that does not answer is left alone after three failures, for a minute") {
    auto files = uploaded();
    User user(&files);
    user.server->next["ac/"] = {9, TransferOutcome::Failed};
    std::vector<Digest> keys;
    for (int number = 0; number < 50; ++number) keys.push_back(sample_key(number));
    user.store->look_up(keys);
    CHECK(user.server->asked.size() == 3);
    for (const Digest& key : keys) CHECK_FALSE(user.store->find(key));
    CHECK(user.server->asked.size() == 3);
    RemoteUse use = user.cache->use();
    CHECK(use.lost_lookups == 50);
    CHECK(use.problem == "as scripted");

    user.now += 60;
    user.server->next.clear();
    CHECK(user.store->find(sample_key(0)));
    CHECK(user.cache->use().lost_lookups == 49);
    CHECK(user.warnings.empty());  // the summary says it
}

TEST_CASE("one failure among answers is tried again") {
    auto files = uploaded();
    User user(&files);
    user.server->next["ac/"] = {TransferOutcome::Failed};
    user.server->next["cas/"] = {TransferOutcome::Failed, TransferOutcome::Failed};
    CHECK(user.store->find(sample_key()));
    CHECK(user.store->load(sample_key()));
    CHECK_FALSE(user.cache->use().lost());
}

TEST_CASE("a remote that is required and does not answer is an error") {
    auto files = uploaded();
    User user(&files, {.trust = {.keys = {ci().public_key()}}, .required = true});
    user.server->next["ac/"] = {9, TransferOutcome::Failed};
    CHECK_THROWS_AS(user.store->find(sample_key()), Error);
    user.stopped = true;
    CHECK_FALSE(user.store->find(sample_key()));
}

TEST_CASE("a user who may not read or write is told once, and the run goes on") {
    auto files = uploaded();
    User user(&files);
    user.server->next["ac/"] = {9, TransferOutcome::Denied};
    CHECK_FALSE(user.store->find(sample_key(0)));
    CHECK_FALSE(user.store->find(sample_key(1)));
    CHECK(user.server->asked.size() == 1);
    REQUIRE(user.warnings.size() == 1);
    CHECK(user.warnings[0].find("does not let you read") != std::string::npos);

    User writer(&files);
    writer.server->next["cas/"] = {9, TransferOutcome::Denied};
    CHECK(writer.publish(5) == Published::New);
    CHECK(writer.publish(6) == Published::New);
    const RemoteUse use = writer.finish();
    CHECK(use.uploads == 0);
    CHECK(use.lost_uploads >= 1);
    CHECK(writer.warnings.size() == 1);
}

TEST_CASE("without a key nothing is uploaded, unless nobody else can write there") {
    std::map<std::string, std::string> files;
    User reader(&files, {.trust = {.keys = {ci().public_key()}}});
    CHECK(reader.publish(0) == Published::New);
    RemoteUse use = reader.finish();
    CHECK(use.uploads == 0);
    CHECK(use.is_read_only);
    CHECK(files.empty());

    User owner(&files, {.trust = {.everyone = true}});
    CHECK(owner.publish(0) == Published::New);
    use = owner.finish();
    CHECK(use.uploads == 1);
    CHECK_FALSE(use.is_read_only);
    User again(&files, {.trust = {.everyone = true}});
    CHECK(again.store->load(sample_key()));
    User other(&files);
    CHECK_FALSE(other.store->find(sample_key()));
}

TEST_CASE("uploads that were lost are left to the next run") {
    std::map<std::string, std::string> files;
    User user(&files);
    user.server->next["cas/"] = {99, TransferOutcome::Failed};
    CHECK(user.publish(0) == Published::New);
    CHECK(user.publish(1) == Published::New);
    CHECK(user.finish().lost_uploads == 2);
    const auto folder = user.open.folder() / store_layout::kUploads;
    const auto names = user.open.files().list(folder);
    REQUIRE(names.size() == 1);
    CHECK(file_text(folder / names.front()).size() == 2 * 65);
    CHECK(PendingUploads(user.open.folder(), "scripted", user.open.files()).take_over().empty());  // this process still lives

    // As the process after this one finds them.
    std::string ended = names.front();
    const std::size_t process = ended.rfind('.', ended.rfind('.') - 1) + 1;
    ended.replace(process, ended.rfind('.') - process, "999999999");
    std::filesystem::rename(folder / names.front(), folder / ended);
    CHECK(PendingUploads(user.open.folder(), "another", user.open.files()).take_over().empty());
    auto transport = std::make_unique<ScriptedTransport>();
    ScriptedTransport& server = *transport;
    RemoteCache cache(std::move(transport), {.trust = {.keys = {ci().public_key()}}, .key = ci()},
                      RemoteMemory(user.open.index(), Access::ReadWrite, "scripted", [&] { return user.wall; }),
                      {[] { return 0.0; }, [] { return false; }, [](const std::string&) {}});
    RemoteStore store(user.open, cache);
    store.upload_what_is_left();
    store.finish_uploads(std::chrono::seconds(60), [] {});
    CHECK(server.files.size() == 4);
    CHECK(user.open.files().list(folder).empty());
}

TEST_CASE("a result that a server refuses is lost, and not tried again") {
    std::map<std::string, std::string> files;
    User user(&files);
    user.server->next["cas/"] = {TransferOutcome::Refused};
    CHECK(user.publish(0) == Published::New);
    const RemoteUse use = user.finish();
    CHECK(use.lost_uploads == 1);
    CHECK(use.problem == "as scripted");
    CHECK(user.open.files().list(user.open.folder() / store_layout::kUploads).empty());
}

TEST_CASE("an artifact that was damaged here comes whole from the remote") {
    auto files = uploaded();
    User user(&files);
    REQUIRE(user.store->load(sample_key()));
    const auto path = user.open.store().path_of(sample_key());
    std::filesystem::permissions(path, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-8, std::ios::end);
    file << "damaged";
    file.close();
    const auto outcome = user.store->load(sample_key());
    REQUIRE(outcome);
    CHECK(equal(*outcome, sample_outcome(0)));
}

TEST_CASE("what the store has itself costs no look-up") {
    auto files = uploaded();
    User user(&files);
    CHECK(user.publish(0) == Published::New);
    (void)user.finish();
    user.server->asked.clear();
    CHECK(user.store->find(sample_key()));
    CHECK(user.store->header(sample_key()));
    CHECK(user.store->load(sample_key()));
    const Digest key = sample_key();
    user.store->look_up({&key, 1});
    user.store->fetch({&key, 1});
    CHECK(user.server->asked.empty());
}
