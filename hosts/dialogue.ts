/** The host that was booted, as it describes itself. */
export type HostFacts = {
  /** `ubuntu 24.04` */
  readonly system: string
  readonly kernel: string
  readonly bubblewrap: string
  /** From the start of the kernel to the first marker. */
  readonly bootSeconds: number
}

export type Ran = {readonly status: number; readonly stdout: string; readonly stderr: string}

/** A line that hosts/guest/main writes on the second serial line. */
export type Marker =
  | {readonly kind: 'host'; readonly facts: HostFacts}
  | {readonly kind: 'scene'; readonly scene: string}
  | {readonly kind: 'entered'; readonly status: number; readonly log: string}
  | {
      readonly kind: 'step'
      readonly scene: string
      readonly account: string
      readonly engine: string
      readonly step: string
    }
  | {readonly kind: 'done'; readonly ran: Ran}
  | {readonly kind: 'log'; readonly text: string}
  | {readonly kind: 'end'; readonly status: number}

/** Parses a line of the dialogue. @returns Undefined for a line that is no marker. @throws {Error} For an incomplete one. */
export function parseMarker(line: string): Marker | undefined {
  const words = line.replace(/\r$/, '').split('\t')
  const [kind, ...rest] = words
  if (kind === undefined || !/^@[a-z]+$/.test(kind)) return undefined
  const word = (index: number) => {
    const found = rest[index]
    if (found === undefined)
      throw new Error(`The host said ${JSON.stringify(line.slice(0, 200))}: a word is missing.`)
    return found
  }
  const text = (index: number) => Buffer.from(word(index), 'base64').toString('utf8')
  switch (kind) {
    case '@host':
      return {
        kind: 'host',
        facts: {system: word(0), kernel: word(1), bubblewrap: word(2), bootSeconds: Number(word(3))},
      }
    case '@scene':
      return {kind: 'scene', scene: word(0)}
    case '@entered':
      return {kind: 'entered', status: Number(word(0)), log: text(1)}
    case '@step':
      return {kind: 'step', scene: word(0), account: word(1), engine: word(2), step: word(3)}
    case '@done':
      return {kind: 'done', ran: {status: Number(word(0)), stdout: text(1), stderr: text(2)}}
    case '@log':
      return {kind: 'log', text: text(0)}
    case '@end':
      return {kind: 'end', status: Number(word(0))}
    default:
      throw new Error(`The host said ${kind}, which is no marker.`)
  }
}
