/** The benchmark harness: how fast the runtime is, beside what the machine can do at all. */
export { compareReports, comparisonText, readReport } from './compare.js';
export { runBenchmarks } from './harness.js';
export { casesOf } from './matrix.js';
export { chartsOf } from './svg.js';
export { reportText } from './text.js';
