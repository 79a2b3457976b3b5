import type {DownloadEvent} from '../host/http/receive.js'
import {formatBytes} from './size.js'

/** What an identity means to the person who uses it, in one line. */
export function describeIdentity(identity: 'mapped' | 'emulated'): string {
  switch (identity) {
    case 'mapped':
      return 'mapped: users of the environment are ids of your subordinate range'
    case 'emulated':
      return 'emulated: every file is yours; changes of owner or user appear to succeed'
  }
}

/** What vouches for an image. */
export function describeTrust(trust: 'digest' | 'unverified'): string {
  switch (trust) {
    case 'digest':
      return 'it has the digest that was asked for'
    case 'unverified':
      return 'unverified: no digest was given'
  }
}

/** How far a download is. */
export function describeTransfer(event: DownloadEvent): string {
  switch (event.stage) {
    case 'download': {
      const {receivedBytes, totalBytes} = event
      return totalBytes === undefined
        ? formatBytes(receivedBytes)
        : `${formatBytes(receivedBytes)} of ${formatBytes(totalBytes)}`
    }
    case 'download-retry':
      return `${event.reason}; next try in ${Math.ceil(event.waitMs / 1000)} s`
    case 'download-wait':
      return 'another envs downloads it: waiting'
  }
}
