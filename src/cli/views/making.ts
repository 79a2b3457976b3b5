import type {ArchiveProgress} from '../../environments/create/wanted-image.js'
import {formatBytes, formatDuration} from '../format.js'
import {measurePace, measureRest} from '../progress.js'
import {describeTransfer} from './text.js'

/**
 * Returns a function that describes each event, with the download rate and the remaining time.
 *
 * @param nowMs - A monotonic clock.
 */
export function describeMakingWithPace(nowMs: () => number): (event: ArchiveProgress) => string {
  const paces = {indices: measurePace(), packages: measurePace(), pack: measurePace()}
  const rests = {unpack: measureRest(), configure: measureRest()}
  let unpackedBytes = 0
  return (event) => {
    if (event.stage === 'unpack') unpackedBytes = event.bytes
    switch (event.stage) {
      case 'indices':
      case 'packages':
        return describeMaking(event, paces[event.stage](event.receivedBytes, nowMs()))
      case 'unpack':
      case 'configure': {
        const seconds = rests[event.stage](event.count, event.totalCount, nowMs())
        const described = describeMaking(event)
        return seconds === undefined ? described : `${described}, ${formatDuration(seconds)} left`
      }
      case 'pack': {
        // The scripts of the packages add little to what was unpacked.
        const totalBytes = Math.max(unpackedBytes, event.bytes)
        const transfer = {stage: 'download', receivedBytes: event.bytes, totalBytes} as const
        return describeTransfer(transfer, paces.pack(event.bytes, nowMs()))
      }
      default:
        return describeMaking(event)
    }
  }
}

/** Describes an event in one line: `12 of 78 packages downloaded, 5.1 MB of 32 MB, 2 MB/s, 14 s left`. */
export function describeMaking(event: ArchiveProgress, bytesPerSecond?: number): string {
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
