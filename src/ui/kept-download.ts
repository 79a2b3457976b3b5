import type {DownloadEvent} from '../host/http/receive.js'
import type {MakingEvent} from './making-wording.js'

/** What is said of it when a command is interrupted. */
export const DOWNLOAD_KEPT = 'What was downloaded is kept: the same command goes on from there.'

/**
 * Whether an interruption would leave a part of a download for the next command; undefined where an event says nothing of it.
 *
 * What was whole already may be kept as well, and may not, by what it is: nothing is promised.
 */
export function keepsDownload(event: DownloadEvent | MakingEvent): boolean | undefined {
  switch (event.stage) {
    case 'download':
      return event.receivedBytes > 0 && event.receivedBytes < (event.totalBytes ?? 0)
    case 'packages':
      return event.receivedCount > 0
    default:
      return undefined
  }
}
