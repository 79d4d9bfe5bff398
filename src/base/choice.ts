/** One time in so many the way is taken that seems to be the worse one. */
const LOOK_AGAIN_AFTER = 16;
/** Weight of the newest measurement. */
const NEWEST_WEIGHT = 0.2;
/** What takes so many times as long as usual was held up by something else: it counts as no more than that. */
const OUTLIER_TIMES = 4;

/**
 * Two ways to do the same: the one that has taken less time lately is taken, and now and then the other one, because which
 * of them is better changes.
 */
export class Choice {
  /** Moving averages; null: never tried. */
  private readonly usual: [number | null, number | null] = [null, null];
  private times = 0;

  /** @returns the way to take now */
  next(): 0 | 1 {
    const [first, second] = this.usual;
    const better = first === null || (second !== null && first <= second) ? 0 : 1;
    return ++this.times % LOOK_AGAIN_AFTER === 0 ? (better === 0 ? 1 : 0) : better;
  }

  /** This way has taken so long, in any unit. */
  note(way: 0 | 1, took: number): void {
    const usual = this.usual[way];
    if (usual === null) this.usual[way] = took;
    else this.usual[way] = usual + NEWEST_WEIGHT * (Math.min(took, OUTLIER_TIMES * usual) - usual);
  }
}
