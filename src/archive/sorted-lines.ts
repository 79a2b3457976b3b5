const NEWLINE = 0x0a
const TAB = 0x09

/** Lines in the order of their bytes, each of a key, a tab and more: searched where they lie, none is made an object of. */
export class SortedLines {
  constructor(private readonly bytes: Buffer) {}

  /** What follows the key in the lines that have it. */
  find(key: string): string[] {
    const wanted = Buffer.from(`${key}\t`, 'latin1')
    const found: string[] = []
    for (let at = this.#firstFrom(wanted); at < this.bytes.length; at = this.#lineEnd(at) + 1) {
      if (this.#compareAt(at, wanted) !== 0) break
      found.push(this.bytes.toString('latin1', at + wanted.length, this.#lineEnd(at)))
    }
    return found
  }

  /** Each key once, in their order. */
  *keys(): Generator<string> {
    let last: string | undefined
    for (let at = 0; at < this.bytes.length; at = this.#lineEnd(at) + 1) {
      const key = this.bytes.toString('latin1', at, this.bytes.indexOf(TAB, at))
      if (key !== last) yield key
      last = key
    }
  }

  /** Where the first line begins that is not before `wanted`. */
  #firstFrom(wanted: Buffer): number {
    let [low, high] = [0, this.bytes.length]
    while (low < high) {
      const start = this.#lineStart((low + high) >>> 1)
      if (this.#compareAt(start, wanted) < 0) low = this.#lineEnd(start) + 1
      else high = start
    }
    return low
  }

  /** Negative where the line is before what begins with `wanted`, 0 where it begins so. */
  #compareAt(start: number, wanted: Buffer): number {
    const end = Math.min(start + wanted.length, this.bytes.length)
    return this.bytes.compare(wanted, 0, wanted.length, start, end)
  }

  #lineStart(at: number): number {
    return at === 0 ? 0 : this.bytes.lastIndexOf(NEWLINE, at - 1) + 1
  }

  #lineEnd(at: number): number {
    const end = this.bytes.indexOf(NEWLINE, at)
    return end === -1 ? this.bytes.length : end
  }
}
