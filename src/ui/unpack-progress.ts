import type {DownloadEvent} from '../host/http/receive.js'
import {formatDuration} from './duration.js'
import {describeMakingWithPace, type MakingEvent} from './making-wording.js'
import {measurePace} from './pace.js'
import type {LeafStage} from './progress.js'
import {formatBytes} from './size.js'
import {describeTransfer} from './wording.js'

/** What a download tells, and the extraction that goes on beside it, in one line for whichever stage is shown. */
export type UnpackProgress = {
  /** A stage that shows the line while it runs. */
  stage(title: string, run: () => Promise<void>): LeafStage
  transfer(event: DownloadEvent): void
  /** Of an image that is made here. */
  making(event: MakingEvent): void
  /** `archive`: how much of it was read, in bytes. */
  extraction(progress: {
    readonly entries: number
    readonly bytes: number
    readonly archive?: {readonly readBytes: number; readonly totalBytes: number}
  }): void
}

/** @param nowMs - A clock that only goes forward. */
export function unpackProgress(nowMs: () => number): UnpackProgress {
  const [pace, extractionPace] = [measurePace(), measurePace()]
  const describeMaking = describeMakingWithPace(nowMs)
  let report: (line: string) => void = () => {}
  let [transferred, extracted] = ['', '']
  const show = () => report([extracted, transferred].filter(Boolean).join('; '))
  return {
    stage: (title, run) => ({
      title,
      run(next) {
        report = next
        return run()
      },
    }),
    making(event) {
      transferred = describeMaking(event)
      show()
    },
    transfer(event) {
      const isDone = event.stage === 'download' && event.receivedBytes === event.totalBytes
      const bytesPerSecond = event.stage === 'download' ? pace(event.receivedBytes, nowMs()) : undefined
      transferred = isDone ? '' : describeTransfer(event, bytesPerSecond)
      show()
    },
    extraction({entries, bytes, archive}) {
      const left = archive && timeLeft(archive, extractionPace(archive.readBytes, nowMs()))
      extracted = [`${entries} members`, formatBytes(bytes), left].filter(Boolean).join(', ')
      show()
    },
  }
}

/** @param bytesPerSecond - undefined while that can't be told. */
function timeLeft(
  {readBytes, totalBytes}: {readBytes: number; totalBytes: number},
  bytesPerSecond: number | undefined,
): string | undefined {
  if (bytesPerSecond === undefined || bytesPerSecond === 0) return undefined
  return `${formatDuration(Math.max(0, totalBytes - readBytes) / bytesPerSecond)} left`
}
