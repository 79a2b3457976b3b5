import type {DownloadEvent} from '../../host/http/attempt.js'
import {formatBytes, formatDuration} from '../format.js'
import {type LeafStage, measurePace, measureRest, type Stage, stagesOf} from '../progress.js'
import {describeTransfer} from './text.js'

/** The making of an environment, as far as its stages are concerned. */
type Steps<Resolution> = {
  /** Whether its image is made of packages, as far as that is known before anybody is asked. */
  readonly isMade: boolean
  /** @returns Whether it has to be made: there is none with the same packages yet. */
  choose(hooks: {
    onMaking: (event: MakingEvent) => void
    onResolved: (resolution: Resolution) => void
  }): Promise<boolean>
  fetch(hooks: {
    onProgress: (event: DownloadEvent) => void
    onMaking: (event: MakingEvent) => void
    onStored: () => void
    onResolved: (resolution: Resolution) => void
    onUnreachable: () => void
  }): Promise<void>
  extract(onProgress: (progress: {readonly entries: number; readonly bytes: number}) => void): Promise<void>
  publish(): Promise<void>
}

/**
 * Runs the steps and shows them.
 *
 * @param onDownload - Told of all that is fetched or made.
 * @param onResolved - Told what a name stands for.
 * @param onUnreachable - Told that an image is made because none could be reached.
 */
export async function runCreation<Resolution>(
  creation: Steps<Resolution>,
  {
    runStages,
    onDownload,
    ...hooks
  }: {
    runStages: (stages: readonly Stage[]) => Promise<void>
    onDownload: (event: KeepingEvent) => void
    onResolved: (resolution: Resolution) => void
    onUnreachable: () => void
  },
): Promise<void> {
  const progress = unpackProgress(() => performance.now())
  const rest = [
    progress.stage('Extract', () => creation.extract(progress.extraction)),
    {title: 'Set up', run: () => creation.publish()},
  ]
  let isMade = creation.isMade
  const onStored = () => onDownload({stage: 'stored'})
  const fetch = async (onMaking: (event: MakingEvent) => void) => {
    await creation.fetch({
      onProgress(event) {
        onDownload(event)
        progress.transfer(event)
      },
      onMaking(event) {
        isMade = true
        onMaking(event)
      },
      onStored,
      ...hooks,
    })
    if (isMade) onStored()
  }
  const fetchAlone = progress.stage('Fetch', () =>
    fetch((event) => {
      onDownload(event)
      progress.making(event)
    }),
  )
  if (!creation.isMade) {
    await runStages([fetchAlone, ...rest])
    return
  }
  const making = makingStages({
    choose: (tell) => creation.choose({onMaking: tell, onResolved: hooks.onResolved}),
    make: fetch,
    onDownload,
    instead: [fetchAlone],
  })
  await runStages([...making, ...rest])
}

/**
 * Stages in which it is found out what an image of packages is to hold, and in which it is made.
 *
 * @param choose - Says whether it has to be made.
 * @param instead - What is done where it has not.
 */
export function makingStages({
  choose,
  make,
  onDownload,
  instead = [],
}: {
  choose: (tell: (event: MakingEvent) => void) => Promise<boolean>
  make: (tell: (event: MakingEvent) => void) => Promise<void>
  onDownload: (event: KeepingEvent) => void
  instead?: readonly LeafStage[]
}): Stage[] {
  const describe = describeMakingWithPace(() => performance.now())
  let isNeeded = false
  const noted = (tell: (event: MakingEvent) => void) => (event: MakingEvent) => {
    onDownload(event)
    tell(event)
  }
  const chosen = async (tell: (event: MakingEvent) => void) => {
    isNeeded = await choose(noted(tell))
  }
  return [
    {title: 'Choose packages', concurrent: 1, stages: () => stagesOf(CHOICE_STAGES, chosen, describe)},
    {
      title: 'Make the image',
      // Packages are unpacked while others come.
      concurrent: 2,
      stages: () => (isNeeded ? stagesOf(MAKING_STAGES, (tell) => make(noted(tell)), describe) : instead),
    },
  ]
}

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
