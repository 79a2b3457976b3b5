import {formatDuration} from './duration.js'
import {measurePace, measureRest} from './pace.js'
import {formatBytes} from './size.js'
import {describeTransfer} from './wording.js'

/** How far an image is that is made of packages. */
export type MakingEvent =
  | {readonly stage: 'release'; readonly suite: string}
  | {readonly stage: 'indices'; readonly receivedBytes: number; readonly totalBytes: number}
  | {readonly stage: 'selection' | 'wait'}
  | {
      readonly stage: 'packages'
      readonly receivedBytes: number
      readonly totalBytes: number
      readonly receivedCount: number
      readonly totalCount: number
    }
  | {readonly stage: 'retry'; readonly waitMs: number; readonly reason: string}
  | {readonly stage: 'unpack'; readonly count: number; readonly totalCount: number; readonly bytes: number}
  | {readonly stage: 'configure'; readonly count: number; readonly totalCount: number}
  | {readonly stage: 'pack'; readonly bytes: number}

/**
 * Describes one event after another, with how fast what is downloaded comes, and how long the rest takes.
 *
 * @param nowMs - A clock that only goes forward.
 */
export function describeMakingWithPace(nowMs: () => number): (event: MakingEvent) => string {
  const paces = {indices: measurePace(), packages: measurePace()}
  const rests = {unpack: measureRest(), configure: measureRest()}
  return (event) => {
    switch (event.stage) {
      case 'indices':
      case 'packages':
        return describeMaking(event, paces[event.stage](event.receivedBytes, nowMs()))
      case 'unpack':
      case 'configure': {
        const seconds = rests[event.stage](event.count, event.totalCount, nowMs())
        const told = describeMaking(event)
        return seconds === undefined ? told : `${told}, ${formatDuration(seconds)} left`
      }
      default:
        return describeMaking(event)
    }
  }
}

/** In one line: `12 of 78 packages downloaded, 5.1 MB of 32 MB, 2 MB/s, 14 s left`. */
export function describeMaking(event: MakingEvent, bytesPerSecond?: number): string {
  switch (event.stage) {
    case 'release':
      return event.suite
    case 'indices':
      return describeTransfer({...event, stage: 'download'}, bytesPerSecond)
    case 'selection':
      return 'choosing packages'
    case 'wait':
      return 'another envs makes the image: waiting'
    case 'packages': {
      const {receivedCount, totalCount, receivedBytes, totalBytes} = event
      const bytes = describeTransfer({stage: 'download', receivedBytes, totalBytes}, bytesPerSecond)
      return `${receivedCount} of ${totalCount} packages downloaded, ${bytes}`
    }
    case 'retry':
      return `${event.reason}; next attempt in ${Math.ceil(event.waitMs / 1000)} s`
    case 'unpack':
      return `${event.count} of ${event.totalCount} packages unpacked, ${formatBytes(event.bytes)}`
    case 'configure':
      return `${event.count} of ${event.totalCount} packages configured`
    case 'pack':
      return formatBytes(event.bytes)
  }
}

/** The stages in which it is found out what an image is to hold. */
export const CHOICE_STAGES = [
  {title: 'Release', has: ({stage}: MakingEvent) => stage === 'release'},
  {title: 'Indices', has: ({stage}: MakingEvent) => stage === 'indices'},
  {title: 'Packages', has: ({stage}: MakingEvent) => stage === 'selection'},
]

/** Those in which it is made: packages are unpacked as they come. */
export const MAKING_STAGES = [
  {
    title: 'Download',
    has: ({stage}: MakingEvent) => stage === 'packages',
    isOver: (event: MakingEvent) => event.stage === 'packages' && event.receivedCount === event.totalCount,
  },
  {title: 'Unpack', has: ({stage}: MakingEvent) => stage === 'unpack'},
  {title: 'Configure', has: ({stage}: MakingEvent) => stage === 'configure'},
  {title: 'Pack', has: ({stage}: MakingEvent) => stage === 'pack'},
]

/** That a release of Ubuntu is made here, though images of it are published. */
export const MADE_INSTEAD = 'No image server could be reached: the image was made from packages.'

export const MADE_OF_SIGNED = 'made here of packages whose digests are in an index that its publisher signed'

type Archive = {
  readonly variant: string
  readonly include: readonly string[]
  readonly pockets: readonly {
    readonly suite: string
    readonly mirror: string
    readonly date: Date
    readonly inReleaseSha256: string
  }[]
  readonly packages: readonly unknown[]
}

/** What an image was made of, as lines with their titles; none for an image that was published. */
export function describeArchive(archive: Archive | null): (readonly [title: string, text: string])[] {
  if (archive === null) return []
  const {variant, include, pockets, packages} = archive
  const more = include.length === 0 ? '' : ` and ${include.join(', ')}`
  return [
    ...pockets.map(({suite, mirror, date, inReleaseSha256}) => {
      const day = date.toISOString().replace(/\.\d+Z$/, 'Z')
      return [
        'Pocket',
        `${suite} of ${mirror}, made ${day}, InRelease sha256:${inReleaseSha256.slice(0, 12)}`,
      ] as const
    }),
    ['Packages', `${packages.length}: ${variant}${more}; --json lists their versions`],
  ]
}
