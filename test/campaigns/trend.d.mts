type Points = readonly (readonly [time: number, value: number])[];
export function slopeOf(points: Points): { slope: number; low: number };
export function growthOf(
  points: Points,
  floor: number,
): { median: number; grows: number; at_least: number; isFlat: boolean };
