export interface Call {
  readonly kind: 'open' | 'seek' | 'write' | 'truncate' | 'sync' | 'rename' | 'link' | 'unlink' | 'mkdir';
  readonly path: string;
  readonly begin: number;
  readonly end: number;
  readonly to?: string;
  readonly descriptor?: string;
  readonly flags?: ReadonlySet<string>;
  readonly data?: Buffer;
  readonly at?: number;
  readonly bytes?: number;
}
export function straceArgs(file: string): string[];
export function readTrace(file: string, wants: (path: string | undefined) => boolean): Promise<Call[]>;
