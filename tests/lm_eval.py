#!/usr/bin/env python3
"""lm-evaluation-harness as a client of `tokenscope serve`, against `tokenscope probe` on the same files.

    python3 -m venv venv && venv/bin/pip install 'lm-eval[api]==0.4.13'
    venv/bin/python tests/lm_eval.py [--tokenscope target/release/tokenscope] [-m MODEL] [TASK.yaml ...]

Without tasks it writes three of its own (minimal pairs, multiple choice, log-likelihood). Each is run by the
harness with `--model local-completions`, `tokenizer_backend=remote` and concurrent requests, and by
`tokenscope probe`; every request's sum must be equal within 1e-4, and so must the metrics. Exit code 1 where
they are not.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOLERANCE = 1e-4

PAIRS = [
    ("The dogs near the gate bark.", "The dogs near the gate barks."),
    ("This child reads every evening.", "This child read every evening book."),
    ("Those apples taste sweet.", "That apples taste sweet."),
    ("She has seen the lake.", "She has saw the lake."),
    ("The boy who likes the girls is tall.", "The boy who likes the girls are tall."),
    ("Nobody has ever been there.", "Somebody has ever been there."),
    ("The committee's members agree.", "The committee's members agrees."),
    ("He hurt himself.", "He hurt herself."),
]
QUESTIONS = [
    ("Water freezes when it gets", ["cold", "loud", "green"], 0),
    ("To open a locked door you need a", ["song", "key", "cloud"], 1),
    ("At night the sky is", ["dark", "square", "salty"], 0),
    ("A week has seven", ["wheels", "days", "letters"], 1),
    ("Bread is made from", ["glass", "wool", "flour"], 2),
    ("Ice cream that lies in the sun will", ["melt", "sing", "grow"], 0),
]
ENDINGS = [
    ("The capital of France is", "Paris"),
    ("Two plus two is", "four"),
    ("The opposite of hot is", "cold"),
    ("Once upon a", "time"),
    ("The sun rises in the", "east"),
    ("", "Hello"),
]


def write_tasks(folder):
    rows = {
        "pairs": [{"good": good, "bad": bad} for good, bad in PAIRS],
        "questions": [{"question": q, "choices": c, "answer": a} for q, c, a in QUESTIONS],
        "endings": [{"text": text, "ending": ending} for text, ending in ENDINGS],
    }
    bodies = {
        "pairs": 'output_type: multiple_choice\ndoc_to_text: ""\ndoc_to_target: 0\n'
        'doc_to_choice: "{{[good, bad]}}"\nmetric_list:\n  - metric: acc\n',
        "questions": "output_type: multiple_choice\ndoc_to_text: question\ndoc_to_target: answer\n"
        "doc_to_choice: choices\nmetric_list:\n  - metric: acc\n  - metric: acc_norm\n",
        "endings": 'output_type: loglikelihood\ndoc_to_text: "{{text}}"\ndoc_to_target: " {{ending}}"\n'
        "metric_list:\n  - metric: perplexity\n    aggregation: perplexity\n  - metric: acc\n",
    }
    files = []
    for name, body in bodies.items():
        data = folder / f"{name}.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows[name]))
        head = f"task: ts_{name}\ndataset_path: json\ndataset_kwargs:\n  data_files:\n    test: {data}\ntest_split: test\n"
        files.append(folder / f"{name}.yaml")
        files[-1].write_text(head + body)
    return files


def start(tokenscope, model):
    server = subprocess.Popen(
        [tokenscope, "serve", "-m", model, "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    for line in server.stderr:
        if found := re.search(r"listening on (http://\S+)", line):
            return server, found[1]
    sys.exit("the server did not start")


def by_harness(url, model, files, folder, concurrent, batch):
    names = [re.search(r"^task:\s*(\S+)", file.read_text(), re.M)[1] for file in files]
    for name in names:
        if not name:
            sys.exit("a task without a name")
    arguments = (
        f"model={model},base_url={url}/v1/completions,tokenizer_backend=remote,num_concurrent={concurrent},max_retries=3"
    )
    command = [sys.executable, "-m", "lm_eval", "--model", "local-completions", "--model_args", arguments]
    command += ["--include_path", str(files[0].parent), "--tasks", ",".join(names), "--batch_size", str(batch)]
    command += ["--output_path", str(folder / "out"), "--log_samples"]
    began = time.time()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(f"lm-eval: {time.time() - began:.1f} s, its start included")
    results = json.loads(next((folder / "out").rglob("results_*.json")).read_text())["results"]
    tasks = {}
    for name in names:
        sums = {}
        for line in next((folder / "out").rglob(f"samples_{name}_*.jsonl")).read_text().splitlines():
            sample = json.loads(line)
            for i, response in enumerate(sample["resps"]):
                # A rolling log-likelihood has a sum alone.
                logprob, greedy = (response[0], None) if isinstance(response[0], (str, float)) else response[0]
                sums[sample["doc_id"], i] = (float(logprob), greedy if greedy is None else str(greedy) == "True")
        metrics = {key.split(",")[0]: value for key, value in results[name].items() if isinstance(value, float)}
        tasks[name] = (sums, metrics)
    return tasks


def by_probe(tokenscope, model, files):
    # The harness' remote tokenizer never asks for a BOS.
    command = [tokenscope, "probe", "-m", model, "--bos", "never", "--json", "-q", *map(str, files)]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout
    sums, tasks = {}, {}
    for line in output.splitlines():
        record = json.loads(line)
        if record["type"] == "item":
            of_suite = sums.setdefault(record["suite"], {})
            for i, choice in enumerate(record["choices"]):
                of_suite[record["index"], i] = (choice["sum_logprob"], choice["is_greedy"])
        elif record["type"] == "summary":
            tasks[record["suite"]] = (sums.get(record["suite"], {}), record["metrics"])
    return tasks


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", type=Path)
    parser.add_argument("--tokenscope", default="target/release/tokenscope")
    parser.add_argument("-m", "--model", default="smollm2-135m")
    parser.add_argument("--concurrent", type=int, default=8)
    parser.add_argument("--batch", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        files = [file.resolve() for file in arguments.tasks] or write_tasks(folder)
        server, url = start(arguments.tokenscope, arguments.model)
        try:
            harness = by_harness(url, arguments.model, files, folder, arguments.concurrent, arguments.batch)
        finally:
            server.terminate()
            server.wait()
        probe = by_probe(arguments.tokenscope, arguments.model, files)
    failed = False
    for name, (theirs, their_metrics) in harness.items():
        ours, our_metrics = probe[name]
        keys_differ = theirs.keys() != ours.keys()
        worst = max((abs(theirs[key][0] - ours[key][0]) for key in theirs.keys() & ours.keys()), default=0.0)
        greedy = sum(theirs[key][1] not in (None, ours[key][1]) for key in theirs.keys() & ours.keys())
        shared = [metric for metric in their_metrics if metric in our_metrics and our_metrics[metric] is not None]
        apart = [m for m in shared if abs(their_metrics[m] - our_metrics[m]) > TOLERANCE * max(1, abs(our_metrics[m]))]
        print(f"{name}: {len(theirs)} requests, largest difference {worst:.2e}, greedy differs {greedy} times")
        for metric in shared:
            print(f"  {metric}: {their_metrics[metric]:.6f} by lm-eval, {our_metrics[metric]:.6f} by probe")
        failed |= keys_differ or worst > TOLERANCE or greedy > 0 or bool(apart) or not shared
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
