/** Steps for a thread: the configuration that all of them have, as JSON text, then number and inputs of each. */
export type BareBatch = readonly [config: string, ...steps: (number | string)[]];
/** Number and output of each step, as JSON text. */
export type BareResults = readonly (number | string)[];
