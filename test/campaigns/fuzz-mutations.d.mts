/** Puts something strange somewhere into a JSON document. */
export function mutateDocument(document: object, random: () => number): object;
