// The steps of the pipeline. Rows travel as a file (an artifact), findings as outputs.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const COLUMNS = ['order_id', 'date', 'region', 'product', 'quantity', 'unit_price'];

/** Config: `file`, relative to this module. */
export async function extract(context) {
  const text = await readFile(new URL(context.nodeConfig.file, import.meta.url), 'utf8');
  const [header, ...rows] = parseCsv(text);
  if (header?.join() !== COLUMNS.join()) {
    throw new Error(`${context.nodeConfig.file} must have the columns ${COLUMNS.join(', ')}`);
  }
  const path = join(context.artifactDir(), 'rows.json');
  await writeFile(path, JSON.stringify(rows));
  return { rows: rows.length, artifacts: [path] };
}

/** Rows of a CSV text (RFC 4180: quotes, doubled quotes, commas and line ends inside quotes). */
export function parseCsv(text) {
  const rows = [];
  let row = [];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ',') continue;
    if (row.length > 1 || row[0] !== '') rows.push(row);
    row = [];
  }
  return rows;
}

/** Context: `max_rejected_share`. Fails when too many rows are wrong: a report about half the data misleads. */
export async function validate(context) {
  const { extract: extracted, count_rows: counted } = context.dependencyOutputs;
  if (extracted.rows !== counted) {
    throw new Error(`the file has ${counted} lines of data, but ${extracted.rows} rows were read`);
  }
  const [source] = context.dependencyArtifacts.extract;
  const orders = [];
  const rejected = [];
  for (const [index, row] of JSON.parse(await readFile(source, 'utf8')).entries()) {
    const { order, problem } = toOrder(row);
    if (problem) rejected.push({ row: index + 1, problem });
    else orders.push(order);
  }
  const allowed = context.globalContext.max_rejected_share ?? 0.05;
  if (rejected.length > allowed * extracted.rows) {
    throw new Error(`${rejected.length} of ${extracted.rows} rows are wrong, first: ${rejected[0].problem}`);
  }
  const path = join(context.artifactDir(), 'orders.json');
  await writeFile(path, JSON.stringify(orders));
  return { accepted: orders.length, rejected, artifacts: [path] };
}

function toOrder(row) {
  if (row.length !== COLUMNS.length) return { problem: `${row.length} columns instead of ${COLUMNS.length}` };
  const [id, date, region, product, quantityText, priceText] = row;
  const quantity = Number(quantityText);
  const priceCents = Math.round(100 * Number(priceText));
  if (!/^\d{4}-\d\d-\d\d$/.test(date)) return { problem: `order ${id}: "${date}" is not a date` };
  if (!Number.isInteger(quantity) || quantity < 1)
    return { problem: `order ${id}: quantity ${quantityText}` };
  if (!(priceCents > 0)) return { problem: `order ${id}: price ${priceText}` };
  return { order: { id, date, region, product, quantity, amountCents: quantity * priceCents } };
}

const orders = async (context) => JSON.parse(await readFile(context.dependencyArtifacts.validate[0], 'utf8'));

/** Sums per key, largest amount first; amounts are whole cents, so that sums are exact. */
function totals(list, keyOf) {
  const sums = new Map();
  for (const order of list) {
    const sum = sums.get(keyOf(order)) ?? { orders: 0, quantity: 0, amount_cents: 0 };
    sum.orders += 1;
    sum.quantity += order.quantity;
    sum.amount_cents += order.amountCents;
    sums.set(keyOf(order), sum);
  }
  return [...sums]
    .map(([key, sum]) => ({ key, ...sum }))
    .sort((a, b) => b.amount_cents - a.amount_cents || (a.key < b.key ? -1 : 1));
}

export async function byRegion(context) {
  return { regions: totals(await orders(context), (order) => order.region) };
}

/** Config: `top`. */
export async function topProducts(context) {
  return {
    products: totals(await orders(context), (order) => order.product).slice(0, context.nodeConfig.top),
  };
}

/** Orders above the upper fence: third quartile + 1.5 × interquartile range (Tukey, 1977). */
export async function outliers(context) {
  const list = await orders(context);
  const sorted = list.map((order) => order.amountCents).sort((a, b) => a - b);
  const quartile = (share) => sorted[Math.floor(share * (sorted.length - 1))];
  const fence = quartile(0.75) + 1.5 * (quartile(0.75) - quartile(0.25));
  const found = list.filter((order) => order.amountCents > fence);
  return { fence_cents: fence, orders: found.sort((a, b) => b.amountCents - a.amountCents) };
}

export async function report(context) {
  const {
    validate: checked,
    by_region: regions,
    top_products: top,
    outliers: unusual,
  } = context.dependencyOutputs;
  const money = (cents) => (cents / 100).toFixed(2);
  const list = (sums) => sums.map((sum) => `- ${sum.key}: ${money(sum.amount_cents)} (${sum.orders} orders)`);
  const lines = [
    '# Orders',
    `${checked.accepted} rows accepted, ${checked.rejected.length} rejected.`,
    ...checked.rejected.map(({ row, problem }) => `- row ${row}: ${problem}`),
    '## By region',
    ...list(regions.regions),
    '## Top products',
    ...list(top.products),
    '## Unusual orders',
    ...(unusual
      ? unusual.orders.map(
          (order) => `- ${order.id}: ${order.quantity} × ${order.product}, ${money(order.amountCents)}`,
        )
      : ['Too few orders to tell.']),
  ];
  const path = join(context.artifactDir(), 'report.md');
  await writeFile(path, `${lines.join('\n')}\n`);
  return { report: path, unusual_orders: unusual?.orders.length ?? null, artifacts: [path] };
}
