/** Wakes one who waits. What rings while nobody waits is heard at the next wait. */
export class Bell {
  private rung = false;
  private wake: () => void = () => {};

  /** Bound, so that timers and abort signals may ring. */
  readonly ring = (): void => {
    this.rung = true;
    this.wake();
  };

  /** Whether it has rung since it was last heard; hears it. */
  hear(): boolean {
    const { rung } = this;
    this.rung = false;
    return rung;
  }

  /** Resolves at the next ring, at once when there was one that was not heard; hears it. */
  async wait(): Promise<void> {
    if (!this.rung) await new Promise<void>((resolve) => (this.wake = resolve));
    this.rung = false;
  }
}
