// The alert rules that docs/observability.md gives operators to copy.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const inRepository = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const read = (path: string) => readFileSync(inRepository(path), "utf8");

const [rules = ""] = /(?<=^```yaml\n)groups:\n[^]*?(?=^```$)/m.exec(read("docs/observability.md")) ?? [];
const SOURCES = ["packages/wcp/src/metrics.ts", "packages/wep-sdk/src/metrics.ts"].map(read).join("");

/** What each rule says of a node whose numbers are these. */
const CASES = `
rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - { series: 'wcp_tls_certificate_expiry_timestamp_seconds{instance="a"}', values: "1209660x120" }
      - { series: 'wep_tls_certificate_expiry_timestamp_seconds{instance="b"}', values: "1209660x3 9999999x117" }
      - { series: 'wep_tls_certificate_expiry_timestamp_seconds{instance="c"}', values: "9999999x120" }
    alert_rule_test:
      - { eval_time: 1m, alertname: SubnetWorkerCertificateExpires, exp_alerts: [] }
      - eval_time: 2m
        alertname: SubnetWorkerCertificateExpires
        exp_alerts:
          - exp_labels: { severity: warning, instance: a }
            exp_annotations:
              summary: The TLS certificate of a ends in 13d 23h 59m 0s.
              runbook: docs/runbooks/tls.md
          - exp_labels: { severity: warning, instance: b }
            exp_annotations:
              summary: The TLS certificate of b ends in 13d 23h 59m 0s.
              runbook: docs/runbooks/tls.md
      - eval_time: 10m
        alertname: SubnetWorkerCertificateExpires
        exp_alerts:
          - exp_labels: { severity: warning, instance: a }
            exp_annotations:
              summary: The TLS certificate of a ends in 13d 23h 51m 0s.
              runbook: docs/runbooks/tls.md
  - interval: 1m
    input_series:
      - { series: 'wep_handler_threads_lost_total{instance="a",cause="forced"}', values: "0x4 1x60" }
      - { series: 'wep_handler_threads_lost_total{instance="a",cause="exit"}', values: "3x64" }
    alert_rule_test:
      - { eval_time: 4m, alertname: SubnetWorkerHandlerThreadsLost, exp_alerts: [] }
      - eval_time: 6m
        alertname: SubnetWorkerHandlerThreadsLost
        exp_alerts:
          - exp_labels: { severity: warning, instance: a, cause: forced }
            exp_annotations:
              summary: Handlers on a cost threads (forced); the WEP's log names their runs.
      - { eval_time: 30m, alertname: SubnetWorkerHandlerThreadsLost, exp_alerts: [] }
  - interval: 1m
    input_series:
      - { series: 'wcp_weps_connected{instance="a"}', values: "1 0x20" }
    alert_rule_test:
      - { eval_time: 5m, alertname: SubnetWorkerWithoutWeps, exp_alerts: [] }
      - eval_time: 6m
        alertname: SubnetWorkerWithoutWeps
        exp_alerts:
          - exp_labels: { severity: critical, instance: a }
            exp_annotations:
              summary: The node a has no WEP and claims nothing.
              runbook: docs/runbooks/wep-lost.md
`;

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "e2e-alerts-"));
  writeFileSync(join(dir, "rules.yaml"), rules);
  writeFileSync(join(dir, "cases.yaml"), CASES);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("the alert rules ask for metrics that there are, and name pages that there are", () => {
  const names = [...new Set(rules.match(/\b(?:wcp|wep)_[a-z_]+\b/g) ?? [])];
  expect(names.length).toBeGreaterThan(3);
  expect(names.filter((name) => !SOURCES.includes(`"${name}"`))).toEqual([]);
  const pages = [...rules.matchAll(/runbook: (\S+)/g)].map(([, page = ""]) => page);
  expect(pages).toHaveLength(2);
  for (const page of pages) expect(read(page)).toMatch(/^# /);
});

const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;

test.skipIf(!hasPromtool)("the alert rules fire when they should, and then alone (needs promtool)", () => {
  for (const args of [
    ["check", "rules", "rules.yaml"],
    ["test", "rules", "cases.yaml"],
  ]) {
    const { status, stdout, stderr } = spawnSync("promtool", args, { cwd: dir, encoding: "utf8" });
    expect(status, stdout + stderr).toBe(0);
  }
});
