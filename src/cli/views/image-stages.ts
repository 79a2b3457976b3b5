import type {ExtractionEvent, ImageStep, NamedLayer} from '../../environments/create/image-description.js'
import type {ArchiveProgress} from '../../environments/create/wanted-image.js'
import type {DownloadEvent} from '../../host/http/attempt.js'
import {formatBytes, formatDuration} from '../format.js'
import {type LeafStage, measurePace, type Stage, stagesOf} from '../progress.js'
import {layerStages} from './layer-stages.js'
import {describeMakingWithPace} from './making.js'
import {describeTransfer} from './text.js'

/** Progress of an image that is downloaded, made or unpacked. */
export type ImageEvent = ArchiveProgress | DownloadEvent | ExtractionEvent

/** The work of {@link imageStages}. */
type ImageWork = {
  /** Whether the image is made from packages, as far as known before it is looked up. */
  readonly isMade: boolean
  /** The step that is left, if that is known without a look-up. */
  readonly step?: ImageStep | undefined
  /** The layers of an image of containers, once it was looked up. */
  readonly layers?: () => readonly NamedLayer[] | undefined
  /** Looks the image up. @returns The step that is left. */
  find(report: (event: ImageEvent) => void): Promise<ImageStep>
  /** Does the step that is left. */
  get(report: (event: ImageEvent) => void): Promise<void>
}

/** Returns the stages that look an image up, and those that get it. */
export function imageStages({isMade, find, get, layers, ...known}: ImageWork): Stage[] {
  const describe = describeImageEvents(() => performance.now())
  let {step = 'none'} = known
  const search = async (report: (event: ImageEvent) => void) => {
    step = await find(report)
  }
  const finding: Stage[] = isMade
    ? [{title: 'Choose packages', concurrent: 1, stages: () => stagesOf(CHOICE_STAGES, search, describe)}]
    : stagesOf(FINDING_STAGES, search, describe)
  return [
    ...(known.step === undefined ? finding : []),
    {
      title: 'Get the image',
      // The image is unpacked while it is downloaded.
      concurrent: 2,
      stages(): LeafStage[] {
        const named = step === 'none' ? undefined : layers?.()
        return named === undefined ? stagesOf(STAGES[step], get, describe) : layerStages(named, get)
      },
    },
  ]
}

/** Describes each event in one line, with the rate and the remaining time. @param nowMs - A monotonic clock. */
export function describeImageEvents(nowMs: () => number): (event: ImageEvent) => string {
  const [pace, readPace] = [measurePace(), measurePace()]
  const describeMaking = describeMakingWithPace(nowMs)
  return (event) => {
    switch (event.stage) {
      case 'download':
        return describeTransfer(event, pace(event.receivedBytes, nowMs()))
      case 'download-retry':
      case 'download-wait':
        return describeTransfer(event)
      case 'extraction': {
        const {entries, bytes, archive} = event
        const left = archive && timeLeft(archive, readPace(archive.readBytes, nowMs()))
        return [`${entries} members`, formatBytes(bytes), left].filter(Boolean).join(', ')
      }
      default:
        return describeMaking(event)
    }
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

function bytesOf(event: ImageEvent): number | undefined {
  if ('receivedBytes' in event) return event.receivedBytes
  return 'bytes' in event ? event.bytes : undefined
}

type Stages = Parameters<typeof stagesOf<ImageEvent>>[0]

function stage(title: string, ...of: readonly ImageEvent['stage'][]): Stages[number] {
  return {title, has: (event) => of.includes(event.stage), bytes: bytesOf}
}

const FINDING_STAGES: Stages = [{title: 'Find', has: () => true}]

/** The stages that select the packages of an image. */
export const CHOICE_STAGES: Stages = [
  stage('Release', 'release'),
  stage('Indices', 'indices'),
  stage('Packages', 'selection'),
]

/** The stages that make an image: packages are unpacked during the download. */
export const MAKING_STAGES: Stages = [
  {
    ...stage('Download', 'packages'),
    isOver: (event) => event.stage === 'packages' && event.receivedCount === event.totalCount,
  },
  stage('Unpack', 'unpack'),
  stage('Configure', 'configure'),
  stage('Pack', 'pack'),
]

const DOWNLOAD: Stages[number] = {
  ...stage('Download', 'download', 'download-retry', 'download-wait'),
  isOver: (event) => event.stage === 'download' && event.receivedBytes === event.totalBytes,
}
const UNPACK = stage('Unpack', 'extraction')

const STAGES: Readonly<Record<ImageStep, Stages>> = {
  none: [],
  read: [UNPACK],
  fetch: [DOWNLOAD],
  download: [DOWNLOAD, UNPACK],
  make: MAKING_STAGES,
}
