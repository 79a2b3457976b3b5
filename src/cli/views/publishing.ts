import type {PublishProgress} from '../../environments/publish/publication.js'
import {formatBytes} from '../format.js'

/** Describes the progress of an image that is made, in one line. */
export function describePublishing(progress: PublishProgress): string {
  if (progress.stage === 'repack') return `packs the layers of ${progress.image} again`
  const {layer, layers, bytes} = progress
  const place = `layer ${layer} of ${layers}`
  if (progress.stage === 'pack') return `${place}: ${progress.entries} members, ${formatBytes(bytes)}`
  return `${place}: ${formatBytes(bytes)} of ${formatBytes(progress.totalBytes)}`
}

/** Tells why an image has other layers than the one below it. */
export function describeRepacking({image, reason}: Extract<PublishProgress, {stage: 'repack'}>): string {
  return `The layers of ${image} were packed again, and have other digests: ${reason}`
}
