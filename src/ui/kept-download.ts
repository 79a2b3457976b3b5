import type {DownloadEvent} from '../host/http/receive.js'
import type {MakingEvent} from './making-wording.js'

/** What an interruption leaves for the next command, as far as the events tell. */
export type Kept = {
  /** Of what is downloaded just now, a part. */
  readonly download?: boolean
  /** Every package index, whole. */
  readonly indices?: boolean
  readonly packages?: {readonly count: number; readonly totalCount: number}
  /** The image, whole and in the store. */
  readonly image?: boolean
}

/** `stored`: the image is in the store, whether it was made or fetched. */
export type KeepingEvent = DownloadEvent | MakingEvent | {readonly stage: 'stored'}

/** What is kept after an event. What was downloaded whole may be kept and may not, by what it is: nothing is promised. */
export function noteKept(kept: Kept, event: KeepingEvent): Kept {
  switch (event.stage) {
    case 'download':
      return {
        ...kept,
        download: event.receivedBytes > 0 && event.receivedBytes < (event.totalBytes ?? 0),
      }
    case 'indices':
      return {...kept, download: event.receivedBytes > 0}
    case 'selection':
      return {indices: true}
    case 'packages':
      return {...kept, packages: {count: event.receivedCount, totalCount: event.totalCount}}
    case 'stored':
      return {image: true}
    default:
      return kept
  }
}

/** What is said of it when a command is interrupted; undefined where nothing is kept. */
export function describeKept({download, indices, packages, image}: Kept): string | undefined {
  const onwards = 'kept: the same command continues from there.'
  if (image) return 'The image is kept: the same command downloads nothing.'
  if (packages !== undefined && packages.count > 0) {
    const {count, totalCount} = packages
    const which = count === totalCount ? `all ${count}` : `${count} of ${totalCount}`
    return `The package indices and ${which} packages are ${onwards}`
  }
  if (indices) return `The package indices are ${onwards}`
  return download ? `The downloaded part is ${onwards}` : undefined
}
