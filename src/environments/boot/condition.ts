import {UsageError} from '../../errors.js'

/** A condition of `--wait`: a port that a process of the environment listens on, or an active unit. */
export type WaitCondition =
  | {readonly kind: 'port'; readonly port: number; readonly protocol: 'tcp' | 'udp'}
  | {readonly kind: 'unit'; readonly unit: string}

/** Parses a value of `--wait`: `port:5432`, `port:53/udp`, or a unit. @throws {UsageError} */
export function parseCondition(text: string): WaitCondition {
  const {number, protocol} = /^port:(?<number>\d{1,5})(?:\/(?<protocol>tcp|udp))?$/.exec(text)?.groups ?? {}
  const port = Number(number)
  if (number !== undefined && port > 0 && port < 65536)
    return {kind: 'port', port, protocol: protocol === 'udp' ? 'udp' : 'tcp'}
  if (text.startsWith('port:') || !/^[A-Za-z0-9:_][A-Za-z0-9:_.@\\-]{0,254}$/.test(text))
    throw new UsageError(`--wait "${text}" is neither a port nor a unit.`, [
      'Write port:5432, port:53/udp, or the name of a unit.',
    ])
  return {kind: 'unit', unit: text}
}
