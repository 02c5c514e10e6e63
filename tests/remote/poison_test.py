"""Servers whose content is wrong, by accident or by an attacker who may write there and lacks only a private key that is trusted."""

import unittest

import hostile_server as server
import remote
from hostile_server import Server
from remote import lines_of, text_of, with_text


class Poison(remote.RemoteCase):
    def setUp(self):
        super().setUp()
        self.truth()
        self.stored = self.published()
        self.make_user("reader", "ci", has_key=False)
        self.make_user("eve")
        self.target = f"ac/{self.keys['verdict']}"
        self.blob = self.blob_of(self.stored, "verdict")

    def against(self, stored, user="reader", ran=("verdict",), **how):
        """A run from nothing against a server that has this; the stages that ran."""
        with Server(**how) as poisoned:
            poisoned.stored = dict(stored)
            run = self.run_with(poisoned.url, "-v", user=user)
            self.check(run)
            self.assertEqual({stage for stage in remote.satdl.STAGES if f"{stage} ran" in run.out}, set(ran), run.text())
            warnings = [line for line in run.err.splitlines() if "warning" in line]
            self.assertLessEqual(len(warnings), 1, run.text())
            return run, poisoned.stored

    def changed_record(self, change, stage="verdict"):
        """The content with the text of one record changed; its signatures stay."""
        path = f"ac/{self.keys[stage]}"
        return {**self.stored, path: with_text(self.stored[path], change(text_of(self.stored[path])))}

    def test_an_empty_store_resolves_the_whole_dag_and_downloads_only_the_target(self):
        with Server() as honest:
            honest.stored = dict(self.stored)
            run = self.run_with(honest.url, user="reader")
            self.check(run)
            self.assertEqual(set(run.objects), {self.keys["verdict"]})
            self.assertEqual(honest.asked("GET", "cas/"), [f"/{self.blob}"])
            self.assertEqual(sorted(honest.asked("GET", "ac/")), sorted(f"/ac/{key}" for key in self.keys.values()))
            self.assertEqual(honest.asked("PUT", ""), [])

    def test_a_record_of_another_key_is_refused(self):
        other = self.stored[f"ac/{self.keys['trained_a']}"]
        run, _ = self.against({**self.stored, self.target: other})
        self.assertIn("another key", run.err)

    def test_a_record_that_its_signature_does_not_match_is_refused(self):
        changes = {
            "another artifact": lambda text: text.replace(self.blob[4:].encode(), self.blob_of(self.stored, "trained_a")[4:].encode()),
            "another size": lambda text: text.replace(b"\nSize: ", b"\nSize: 1"),
            "without a signature": lambda text: b"\n".join(line for line in text.split(b"\n") if not line.startswith(b"Sig: ")),
            "of another name": lambda text: text.replace(b"Sig: ci:", b"Sig: eve:"),
            "another header": lambda text: text.replace(b'"loss"', b'"gain"'),
            "a line more": lambda text: text.replace(b"\nSig", b"\nX: y\nSig"),
            "lines in another order": lambda text: text.replace(b"satdl-record: 1\n", b"", 1).replace(b"\nSig", b"\nsatdl-record: 1\nSig"),
            "a later version": lambda text: text.replace(b"satdl-record: 1", b"satdl-record: 2"),
            "nothing": lambda text: b"",
            "a thousand signatures": lambda text: text.replace(b"\nSig", b"\nSig: a:AAAA" * 1000 + b"\nSig"),
            "a signature that is none": lambda text: text.replace(b"Sig: ci:", b"Sig: ci:!"),
            "text behind its header": lambda text: text + b"more",
        }
        for name, change in changes.items():
            with self.subTest(name):
                changed = self.changed_record(change)
                self.assertNotEqual(text_of(changed[self.target]), text_of(self.stored[self.target]))
                run, _ = self.against(changed)
                self.assertIn("warning", run.err, run.text())

    def test_a_record_that_is_no_action_result_is_refused(self):
        record = self.stored[self.target]
        for name, data in {"empty": b"", "text": b"hello", "cut off": record[:-1], "zeros": bytes(1000), "0xff": b"\xff" * 1000,
                           "its text alone": text_of(record), "too long": record + server.encoded([(100, bytes(17 << 20))])}.items():
            with self.subTest(name):
                run, _ = self.against({**self.stored, self.target: data})
                self.assertIn("warning", run.err, run.text())

    def test_results_of_somebody_who_is_not_trusted_are_not_used_and_hers_are_once_she_is(self):
        by_eve = self.published("eve")
        run, _ = self.against(by_eve, ran=remote.satdl.STAGES)
        self.assertIn("eve", run.err)
        self.assertIn("satdl cache trust", run.err)
        self.as_user("reader", "cache", "trust", self.public["eve"])
        self.against(by_eve, ran=())
        (self.folder / "users/reader/satdl/trusted-keys").write_text("")
        self.as_user("reader", "cache", "trust", self.public["ci"])
        self.against(by_eve, ran=remote.satdl.STAGES)

    def test_a_key_may_lie_anywhere(self):
        public = self.as_user("reader", "cache", "keygen", "mine", "--file", "key")[1].strip()
        self.assertRegex(public, "^mine:[A-Za-z0-9+/]{43}=$")
        key = self.folder / "key"
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        with Server() as honest:
            run = self.run_with(honest.url, user="reader", environment={"SATDL_SIGNING_KEY": key.read_text()})
            self.check(run)
            self.assertIn("7 uploaded", run.out)

    def test_whoever_lacks_the_key_cannot_make_a_record(self):
        """Eve's own artifact, as the verdict: signed by nobody, by herself, and by herself in the name of ci."""
        lines, header = lines_of(text_of(self.stored[self.target]))
        forged = {name: self.record(user, lines, header) for name, user in (("nobody", None), ("eve", "eve"))}
        forged["eve as ci"] = with_text(forged["eve"], text_of(forged["eve"]).replace(b"Sig: eve:", b"Sig: ci:"))
        for name, record in forged.items():
            with self.subTest(name):
                self.against({**self.stored, self.target: record})
        self.assertEqual(text_of(self.record("ci", lines, header)), text_of(self.stored[self.target]))  # what the test would else not know

    def test_a_signed_record_is_held_to_its_artifact(self):
        """Whoever signs may be wrong, too."""
        lines, header = lines_of(text_of(self.stored[self.target]))
        _, other_header = lines_of(text_of(self.stored[f"ac/{self.keys['trained_a']}"]))
        other = self.blob_of(self.stored, "trained_a")
        size = str(len(self.stored[other]))
        wrong = {"another's artifact": ({**lines, "Sha256": other[4:], "Size": size}, header),
                 "another's header": ({**lines, "Header-Sha256": remote.sha256(other_header)}, other_header),
                 "another's artifact and header": ({**lines, "Sha256": other[4:], "Size": size,
                                                    "Header-Sha256": remote.sha256(other_header)}, other_header),
                 "a smaller size": ({**lines, "Size": "4097"}, header), "a greater size": ({**lines, "Size": str(1 << 62)}, header),
                 "no size": ({**lines, "Size": "many"}, header), "no digest": ({**lines, "Sha256": "../" * 20}, header)}
        for name, (changed, text) in wrong.items():
            with self.subTest(name):
                run, _ = self.against({**self.stored, self.target: self.record("ci", changed, text)})
                self.assertIn("warning", run.err, run.text())

    def test_an_artifact_that_was_replaced_cut_or_damaged_is_computed_again_and_mended(self):
        data = self.stored[self.blob]
        for name, wrong in {"another": self.stored[self.blob_of(self.stored, "trained_a")], "cut off": data[:-1],
                            "half": data[:len(data) // 2], "empty": b"", "longer": data + bytes(4096), "a bit": server.flipped(data, len(data) // 2)}.items():
            with self.subTest(name):
                run, stored = self.against({**self.stored, self.blob: wrong}, user="ci")
                self.assertIn("warning", run.err, run.text())
                self.assertEqual(stored, self.stored)

    def test_an_artifact_that_is_gone_is_a_miss_of_which_nothing_is_said(self):
        without = {path: data for path, data in self.stored.items() if path != self.blob}
        run, stored = self.against(without, user="ci")
        self.assertEqual(run.err, "")
        self.assertEqual(stored, self.stored)

    def test_all_artifacts_gone_behind_their_records(self):
        records = {path: data for path, data in self.stored.items() if path.startswith("ac/")}
        _, stored = self.against(records, user="ci", ran=remote.satdl.STAGES)
        self.assertEqual(stored, self.stored)

    def test_an_artifact_that_goes_between_its_record_and_its_download(self):
        with Server() as evicting:
            evicting.stored = dict(self.stored)
            def gone(exchange):
                evicting.stored.pop(self.blob, None)
                exchange.answer(404)
            evicting.fault("GET", self.blob, gone)
            self.check(self.run_with(evicting.url, user="reader"))

    def test_what_a_store_remembers_of_a_remote_is_checked_against_whom_its_user_trusts_now(self):
        with Server() as honest:
            honest.stored = dict(self.stored)
            run = self.run_with(honest.url, user="reader")
            self.check(run)
            (self.folder / "users/reader/satdl/trusted-keys").write_text(self.public["eve"] + "\n")
            for name in ("-f", "amount=3"):
                again = self.run_with(honest.url, name, user="reader", store=run.store)
                self.assertNotIn(f"{len(self.keys)} found", again.out, again.text())

    def test_like_bazel_remote_which_checks_records_and_adds_a_worker(self):
        checked = self.published(like_bazel_remote=True)
        run, _ = self.against(checked, ran=(), like_bazel_remote=True)
        self.assertEqual(run.err, "")
        def with_another_worker(record):
            return server.with_worker(server.encoded([one for one in server.fields(record) if one[0] != server.EXECUTION_METADATA]))
        self.against({path: with_another_worker(data) if path.startswith("ac/") else data for path, data in checked.items()}, ran=())
        without = {path: data for path, data in checked.items() if path != self.blob}
        self.against(without, user="ci", like_bazel_remote=True)


if __name__ == "__main__":
    unittest.main()
