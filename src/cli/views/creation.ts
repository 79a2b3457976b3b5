import type {DownloadEvent} from '../../host/http/attempt.js'
import {formatBytes, formatDuration} from '../format.js'
import {type LeafStage, measurePace, measureRest, type Stage, stagesOf} from '../progress.js'
import {describeTransfer} from './text.js'

/** The steps of the creation of an environment that its stages show. */
type CreationSteps<Resolution> = {
  /** Whether its image is built from packages, as far as known before a lookup. */
  readonly isMade: boolean
  /** Resolves the packages. @returns Whether the image must be built: none with the same packages is cached. */
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
 * Runs the steps as stages.
 *
 * @param onDownload - Called for each event of a download or a build.
 * @param onResolved - Called with the resolution of a name.
 * @param onUnreachable - Called if an image is built because no server was reachable.
 */
export async function runCreation<Resolution>(
  creation: CreationSteps<Resolution>,
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
    choose: (report) => creation.choose({onMaking: report, onResolved: hooks.onResolved}),
    make: fetch,
    onDownload,
    instead: [fetchAlone],
  })
  await runStages([...making, ...rest])
}

/**
 * Returns the stages that select the packages of an image, and those that build it.
 *
 * @param choose - Returns whether the image must be built.
 * @param instead - Stages if the image need not be built.
 */
export function makingStages({
  choose,
  make,
  onDownload,
  instead = [],
}: {
  choose: (report: (event: MakingEvent) => void) => Promise<boolean>
  make: (report: (event: MakingEvent) => void) => Promise<void>
  onDownload: (event: KeepingEvent) => void
  instead?: readonly LeafStage[]
}): Stage[] {
  const describe = describeMakingWithPace(() => performance.now())
  let isNeeded = false
  const noted = (report: (event: MakingEvent) => void) => (event: MakingEvent) => {
    onDownload(event)
    report(event)
  }
  const chosen = async (report: (event: MakingEvent) => void) => {
    isNeeded = await choose(noted(report))
  }
  return [
    {title: 'Choose packages', concurrent: 1, stages: () => stagesOf(CHOICE_STAGES, chosen, describe)},
    {
      title: 'Make the image',
      // Packages are unpacked while others are downloaded.
      concurrent: 2,
      stages: () => (isNeeded ? stagesOf(MAKING_STAGES, (report) => make(noted(report)), describe) : instead),
    },
  ]
}

/** Progress that an interruption leaves for the next command, according to the events. */
export type Resumable = {
  /** A part of the current download. */
  readonly download?: boolean
  /** All package indices, complete. */
  readonly indices?: boolean
  readonly packages?: {readonly count: number; readonly totalCount: number}
  /** The image, complete and cached. */
  readonly image?: boolean
}

/** `stored`: the image is cached, whether it was built or downloaded. */
export type KeepingEvent = DownloadEvent | MakingEvent | {readonly stage: 'stored'}

/**
 * Returns the progress that is resumable after an event. A complete download counts as not resumable, because some
 * downloads are not cached.
 */
export function addResumable(resumable: Resumable, event: KeepingEvent): Resumable {
  switch (event.stage) {
    case 'download':
      return {
        ...resumable,
        download: event.receivedBytes > 0 && event.receivedBytes < (event.totalBytes ?? 0),
      }
    case 'indices':
      return {...resumable, download: event.receivedBytes > 0}
    case 'selection':
      return {indices: true}
    case 'packages':
      return {...resumable, packages: {count: event.receivedCount, totalCount: event.totalCount}}
    case 'stored':
      return {image: true}
    default:
      return resumable
  }
}

/** Returns the text about resumable progress for an interrupted command; undefined if nothing is resumable. */
export function describeResumable({download, indices, packages, image}: Resumable): string | undefined {
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

/** Progress of an image that is built from packages. */
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
 * Returns a function that describes each event, with the download rate and the remaining time.
 *
 * @param nowMs - A monotonic clock.
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
        const described = describeMaking(event)
        return seconds === undefined ? described : `${described}, ${formatDuration(seconds)} left`
      }
      default:
        return describeMaking(event)
    }
  }
}

/** Describes an event in one line: `12 of 78 packages downloaded, 5.1 MB of 32 MB, 2 MB/s, 14 s left`. */
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

/** The stages that select the packages of an image. */
export const CHOICE_STAGES = [
  {title: 'Release', has: ({stage}: MakingEvent) => stage === 'release'},
  {title: 'Indices', has: ({stage}: MakingEvent) => stage === 'indices'},
  {title: 'Packages', has: ({stage}: MakingEvent) => stage === 'selection'},
]

/** The stages that build an image: packages are unpacked during the download. */
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

/** Note that an image was built although images of its release are published. */
export const BUILT_INSTEAD = `No image server could be reached: envs made the image from Ubuntu's packages. Unlike the \
image that Ubuntu publishes, it has only the required packages and APT, in today's versions, and its APT sources do not \
name the backports.`

export const BUILT_FROM_SIGNED =
  'built here from packages whose digests are in an index that its publisher signed'

type ArchiveOrigin = {
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

/** Describes the origin of a built image, as lines with titles; empty for a published image. */
export function describeArchive(archive: ArchiveOrigin | null): (readonly [title: string, text: string])[] {
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

/** Shows the progress of a download and of a parallel extraction in one line, in whichever stage runs. */
export type UnpackProgress = {
  /** Returns a stage that shows the line while it runs. */
  stage(title: string, run: () => Promise<void>): LeafStage
  transfer(event: DownloadEvent): void
  /** Takes an event of an image that is built. */
  making(event: MakingEvent): void
  /** `archive`: bytes read of the tarball. */
  extraction(progress: {
    readonly entries: number
    readonly bytes: number
    readonly archive?: {readonly readBytes: number; readonly totalBytes: number}
  }): void
}

/** @param nowMs - A monotonic clock. */
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

/** @param bytesPerSecond - Undefined while it is unknown. */
function timeLeft(
  {readBytes, totalBytes}: {readBytes: number; totalBytes: number},
  bytesPerSecond: number | undefined,
): string | undefined {
  if (bytesPerSecond === undefined || bytesPerSecond === 0) return undefined
  return `${formatDuration(Math.max(0, totalBytes - readBytes) / bytesPerSecond)} left`
}
