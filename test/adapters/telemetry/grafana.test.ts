/** Dashboards and rules ask for metrics that there are, in PromQL that parses. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parser } from '@prometheus-io/lezer-promql';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { skippedWithout } from '../../support/needed.ts';
import { promtool, promtoolMissing } from '../../support/prometheus.ts';
import { ROOT } from '../../support/service-process.ts';
import { prometheusNames, telemetrySchema } from '../../support/telemetry-schema.ts';

const FOLDER = join(ROOT, 'deploy/grafana');
const RULES = join(FOLDER, 'alerts.yaml');

interface Dashboard {
  uid: string;
  title: string;
  panels: { id: number; title: string; gridPos: { x: number; w: number }; targets: { expr: string }[] }[];
}

const dashboards = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Dashboard);
const rules = (parse(readFileSync(RULES, 'utf8')) as { groups: { rules: { alert: string; expr: string }[] }[] }).groups;

/** @throws where it does not parse */
function selected(expression: string): { metrics: string[]; labels: string[] } {
  // As Grafana fills it in.
  const text = expression.replaceAll('$__rate_interval', '5m').replaceAll('$job', 'job');
  const metrics: string[] = [];
  const labels: string[] = [];
  parser.parse(text).iterate({
    enter(node) {
      if (node.type.isError) throw new Error(`expected PromQL, got ${expression}`);
      const word = text.slice(node.from, node.to);
      if (node.name === 'Identifier' && node.matchContext(['VectorSelector'])) metrics.push(word);
      if (node.name === 'LabelName') labels.push(word);
    },
  });
  return { metrics, labels };
}

const known = new Set(prometheusNames());
const labelsOf = (metric: string) => {
  const of = telemetrySchema.metrics.find(({ prometheus }) =>
    [prometheus, ...['bucket', 'sum', 'count'].map((part) => `${prometheus}_${part}`)].includes(metric),
  );
  return Object.keys(of?.attributes ?? {}).map((name) => name.replaceAll('.', '_'));
};

function expectDescribed(expression: string): void {
  const { metrics, labels } = selected(expression);
  expect(metrics.length).toBeGreaterThan(0);
  for (const metric of metrics) expect(known).toContain(metric);
  const allowed = new Set(['job', 'instance', 'le', ...metrics.flatMap(labelsOf)]);
  for (const label of labels) expect(allowed).toContain(label);
}

describe('the dashboards', () => {
  it.each(dashboards.map((dashboard) => [dashboard.title, dashboard] as const))(
    '%s shows metrics and labels that are described',
    (_title, { panels }) => {
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
      for (const { targets, gridPos } of panels) {
        expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
        for (const { expr } of targets) expectDescribed(expr);
      }
    },
  );

  it('show every metric of ours somewhere', () => {
    const shown = new Set(
      dashboards.flatMap(({ panels }) =>
        panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => selected(expr).metrics)),
      ),
    );
    const ours = telemetrySchema.metrics.filter(({ name }) => !name.startsWith('otel.'));
    for (const { prometheus, instrument } of ours) {
      const names = instrument === 'histogram' ? [`${prometheus}_bucket`, `${prometheus}_count`] : [prometheus];
      expect([prometheus, names.some((name) => shown.has(name))]).toEqual([prometheus, true]);
    }
  });

  it('have ids of their own', () => {
    expect(dashboards.map(({ uid }) => uid)).toEqual(['pushforward-runs', 'pushforward-service']);
  });
});

describe('the alert rules', () => {
  it('ask for metrics and labels that are described', () => {
    for (const { expr } of rules.flatMap((group) => group.rules)) expectDescribed(expr);
  });

  it.skipIf(skippedWithout(promtoolMissing))('are loaded by Prometheus', async () => {
    expect(await promtool(['check', 'rules', RULES])).toBe('');
  });
});
