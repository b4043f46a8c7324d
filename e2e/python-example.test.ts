// What examples/python-wep promises: its own tests, generated code that is current, a README that works as it stands.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Execution, TASK_ERROR } from "@subnet-worker/protocol";
import { Health, ServingStatus } from "@subnet-worker/protocol/grpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openPlace, recordOf } from "./_demo.ts";
import { hasPython, PYTHON_PATH, startPython } from "./_python.ts";
import { until } from "./_until.ts";

const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));
const EXAMPLE = join(REPOSITORY, "examples", "python-wep");
const SIMPLE = join(REPOSITORY, "e2e", "fixtures", "simple-wep");
const PROTO = join(REPOSITORY, "proto");
const BASELINE = join(REPOSITORY, "packages", "protocol", "wire-baseline");
const EXECUTION = { file: "execution/v1/execution.proto", python: "execution.v1.execution_pb2", messages: 9 };
const HEALTH = { file: "grpc/health/v1/health.proto", python: "grpc_health.v1.health_pb2", messages: 2 };
const GENERATED = [
  { name: "the example", folder: EXAMPLE, proto: PROTO, ...EXECUTION },
  { name: "the example's health service", folder: EXAMPLE, proto: PROTO, ...HEALTH },
  { name: "the simplest WEP", folder: SIMPLE, proto: BASELINE, ...EXECUTION },
] as const;

const env = { ...process.env, PATH: PYTHON_PATH };

function run(command: string, args: readonly string[], cwd: string = EXAMPLE) {
  return spawnSync(command, args, { cwd, env, encoding: "utf8" });
}

/** Another version writes the same messages in other words. */
const protoc = run("protoc", ["--version"]).stdout?.trim();
const hasGenerators =
  protoc === "libprotoc 3.21.12" && run("sh", ["-c", "command -v grpc_python_plugin"]).status === 0;

/** Compares what a module describes with what buf reads in the proto, apart from what only tools for JSON want. */
const COMPARE = `
import importlib, sys
folder, module, name = sys.argv[1:]
sys.path.insert(0, folder)
from google.protobuf import descriptor_pb2
def plain(file):
    # What is imported as grpc is no folder of messages: Python's place for them has another name.
    file.ClearField("name")
    file.ClearField("source_code_info")
    todo = list(file.message_type)
    for message in todo:
        todo.extend(message.nested_type)
        for field in message.field:
            field.ClearField("json_name")
    return file
theirs = descriptor_pb2.FileDescriptorSet.FromString(sys.stdin.buffer.read()).file
theirs = next(each for each in theirs if each.name == name)
# buf adds extensions of its own to a file.
theirs.DiscardUnknownFields()
ours = descriptor_pb2.FileDescriptorProto()
importlib.import_module(module).DESCRIPTOR.CopyToProto(ours)
assert plain(ours) == plain(theirs), f"{ours}\\n---\\n{theirs}"
print(len(ours.message_type))
`;

describe.skipIf(!hasPython)("examples/python-wep (needs python3 with grpcio)", () => {
  let dir: string;

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "e2e-"));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test("passes its own tests", () => {
    const { status, stderr } = run("python3", ["-B", "-m", "unittest", "discover", "tests"]);
    expect([status, stderr]).toEqual([0, expect.stringMatching(/Ran \d+ tests[^]*OK/)]);
  });

  test.for(GENERATED)("has generated messages that say what the proto says: $name", (generated) => {
    const { folder, proto, file, python, messages } = generated;
    const buf = join(REPOSITORY, "node_modules", ".bin", "buf");
    const image = spawnSync(buf, ["build", "-o", "-#format=binpb"], { cwd: proto });
    expect(String(image.stderr)).toBe("");
    const compared = spawnSync("python3", ["-B", "-c", COMPARE, join(folder, "gen"), python, file], {
      env,
      input: image.stdout,
    });
    expect([compared.status, String(compared.stderr)]).toEqual([0, ""]);
    expect(Number(compared.stdout)).toBeGreaterThanOrEqual(messages);
  });

  test.skipIf(!hasGenerators).for(GENERATED)(
    "gets its generated code from generate.sh, byte for byte (needs protoc 3.21.12 and grpc_python_plugin): $name",
    ({ folder }) => {
      const out = mkdtempSync(join(dir, "gen-"));
      const generated = run(join(folder, "generate.sh"), [out]);
      expect([generated.status, generated.stderr]).toEqual([0, ""]);
      const files = (root: string) =>
        readdirSync(root, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile() && !entry.name.endsWith(".pyc"))
          .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
          .toSorted();
      expect(files(out)).toEqual(files(join(folder, "gen")));
      for (const file of files(out))
        expect(readFileSync(join(out, file), "utf8"), file).toBe(
          readFileSync(join(folder, "gen", file), "utf8"),
        );
    },
  );

  test("has the codes of the task error taxonomy", () => {
    const script = "import json, wep; print(json.dumps({code.name: code.value for code in wep.Code}))";
    const { NONE: _none, ...codes } = TASK_ERROR;
    expect(JSON.parse(run("python3", ["-B", "-c", script]).stdout)).toEqual(codes);
  });

  describe("gRPC health", () => {
    async function startExample() {
      const args = ["worker.py", "--port", "0", "--grace-s", "20"];
      const wep = await startPython(args, { cwd: EXAMPLE });
      const { port } = await wep.find("the WEP to listen", ({ msg }) => msg === "wep listening");
      const transport = createGrpcTransport({ baseUrl: `http://127.0.0.1:${String(port)}` });
      return {
        wep,
        health: createClient(Health, transport),
        [Symbol.asyncDispose]: () => wep[Symbol.asyncDispose](),
      };
    }

    test("is SERVING for the server and for the service, and unknown for others", async () => {
      await using example = await startExample();
      const { health } = example;
      for (const service of ["", Execution.typeName])
        expect(await health.check({ service })).toMatchObject({ status: ServingStatus.SERVING });
      await expect(health.check({ service: "x.Y" })).rejects.toMatchObject({ code: Code.NotFound });
      for await (const { status } of health.watch({ service: "x.Y" })) {
        expect(status).toBe(ServingStatus.SERVICE_UNKNOWN);
        break;
      }
    });

    test("changes to NOT_SERVING when the process drains, and whoever watches is told", async () => {
      await using example = await startExample();
      const { health, wep } = example;
      const seen: ServingStatus[] = [];
      const watching = (async () => {
        for await (const { status } of health.watch({})) {
          seen.push(status);
          if (seen.length === 1) wep.signal("SIGTERM");
        }
      })();
      await expect(watching).rejects.toBeInstanceOf(ConnectError);
      expect(seen).toEqual([ServingStatus.SERVING, ServingStatus.NOT_SERVING]);
      expect(await wep.ended).toBe(0);
    });

    test("lets so many watch and answers others all the same; who leaves makes room", async () => {
      await using example = await startExample();
      const { health } = example;
      const stops = Array.from({ length: 8 }, () => new AbortController());
      const watching = stops.map(({ signal }) => health.watch({}, { signal })[Symbol.asyncIterator]());
      for (const watch of watching) await watch.next();
      const oneMore = () => health.watch({})[Symbol.asyncIterator]().next();
      await expect(oneMore()).rejects.toMatchObject({ code: Code.ResourceExhausted });
      expect(await health.check({})).toMatchObject({ status: ServingStatus.SERVING });
      stops[0]?.abort();
      await until("a place to be free", () => oneMore().then(Boolean, () => false));
    });
  });

  describe("README", () => {
    const readme = readFileSync(join(EXAMPLE, "README.md"), "utf8");
    const blocks = Array.from(readme.matchAll(/^```(\w+)\n(.*?)^```$/gms), ([, language, code = ""]) => ({
      language,
      code,
    }));
    const [serve = "", demo = ""] = blocks.flatMap(({ language, code }) => (language === "sh" ? [code] : []));
    const words = blocks.find(({ language }) => language === "python")?.code ?? "";

    /** In a copy of the example, with another port. */
    function copyExample(): string {
      const copy = mkdtempSync(join(dir, "example-"));
      cpSync(EXAMPLE, copy, { recursive: true });
      return copy;
    }

    test("runs the sample on a whole network, as it says", async () => {
      const withPort = (code: string, port: string) => code.trim().replaceAll("7070", port);
      const [program, ...args] = withPort(serve, "0").split(" ");
      expect([program, args.includes("0")]).toEqual(["python3", true]);
      await using wep = await startPython(args, { cwd: EXAMPLE });
      const listening = await wep.find("the WEP to listen", ({ msg }) => msg === "wep listening");
      const port = String(listening["port"]);

      const [start, typed] = withPort(demo, port).split(" run devnet ");
      expect(start).toBe("npx -y pnpm@12.21.0 --silent -w");
      using place = openPlace();
      // The script that pnpm would run, which takes paths from where it was called.
      cpSync(join(EXAMPLE, "table.yaml"), join(place.cwd, "table.yaml"));
      cpSync(join(EXAMPLE, "samples"), join(place.cwd, "samples"), { recursive: true });
      const { code, stdout, stderr } = await place.run(typed?.split(" ") ?? []).done;
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toMatch(/rows 7\b/);
      expect(stdout).toContain(`wep    http://127.0.0.1:${port}`);
      expect(stdout).not.toContain("the WEP uses"); // that port is its own business
      const report = recordOf(place).steps[0]?.outputs.find(({ name }) => name === "report_object_key")?.file;
      expect(JSON.parse(readFileSync(report ?? "none", "utf8"))).toMatchObject({ rows: 7, malformed: 1 });
    });

    test("shows a handler that works as it stands", async () => {
      const copy = copyExample();
      writeFileSync(join(copy, "words.py"), words);
      await using wep = await startPython(["words.py", "--port", "0"], { cwd: copy });
      const { port } = await wep.find("the WEP to listen", ({ msg }) => msg === "wep listening");

      using place = openPlace();
      writeFileSync(join(place.cwd, "words.yaml"), WORDS_SPEC);
      writeFileSync(join(place.cwd, "fox.txt"), "the quick brown fox jumps over the lazy dog");
      const url = `http://127.0.0.1:${String(port)}`;
      const inputs = ["--input", "text_object_key=@fox.txt", "--input", "longest=2"];
      const { code, stderr } = await place.run(["demo", "--wep", url, "--spec", "words.yaml", ...inputs])
        .done;
      expect([code, stderr]).toEqual([0, ""]);
      const outputs = recordOf(place).steps[0]?.outputs ?? [];
      expect(Number(outputs.find(({ name }) => name === "words")?.value)).toBe(9);
      const report = outputs.find(({ name }) => name === "report_object_key")?.file ?? "none";
      expect(readFileSync(report, "utf8")).toBe("quick\nbrown");
    });
  });
});

const WORDS_SPEC = `name: words
version: words/1.0.0
activities:
  - id: words
    kind: text.words
    name: Words
    worker: text
    input_params:
      - { name: text_object_key, type: string }
      - { name: longest, type: uint32 }
    output_params:
      - { name: words, type: uint64 }
      - { name: report_object_key, type: string }
`;
