import type {PublishProgress} from '../../environments/publish/publication.js'
import {formatBytes} from '../format.js'

/** Describes the progress of an image that is made, in one line. */
export function describePublishing({layer, layers, entries, bytes}: PublishProgress): string {
  return `layer ${layer} of ${layers}: ${entries} members, ${formatBytes(bytes)}`
}
