import {constants} from 'node:fs'
import {open} from 'node:fs/promises'
import {DigestMismatchError, digestMismatchError} from '../host/errors.js'

import type {Connections} from '../host/http/connections.js'
import {NetworkError, UnexpectedSizeError} from '../host/http/errors.js'
import {PartialFile} from '../host/http/partial-file.js'
import {receive} from '../host/http/receive.js'
import {redactUrl} from '../host/http/redact-url.js'
import type {ArchiveContext} from './context.js'
import {archiveUnreachableError, packageMismatchError, packageMissingError} from './errors.js'
import type {PlannedPackage} from './plan.js'

const {O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW} = constants

/** RFC 9110, sections 15.5.5 and 15.5.11. */
const MISSING: readonly (number | undefined)[] = [404, 410]

type Options = {
  readonly context: ArchiveContext
  readonly connections: Connections
  readonly onBytes: (receivedBytes: number) => void
}

/**
 * Downloads a package to `path`, where it is whole or not there; a connection that breaks is gone on with.
 *
 * @throws {PackageMismatchError} @throws {@link packageMissingError} @throws {@link archiveUnreachableError} @throws {@link downloadStorageError}
 * @throws {unknown} The reason of the context's signal.
 */
export async function fetchPackage(
  wanted: PlannedPackage,
  path: string,
  {context, connections, onBytes}: Options,
): Promise<void> {
  const {url, sha256, sizeBytes} = wanted
  const paths = {part: `${path}.part`, record: `${path}.part.json`, destination: path}
  const file = await open(paths.part, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644)
  try {
    const part = await PartialFile.open(paths, {fd: file.fd, url, isDigestKnown: true, isForLater: false})
    const {environment, signal, backoffMs} = context
    const options = {
      url,
      environment,
      signal,
      connections,
      isDigestKnown: true,
      expectedBytes: sizeBytes,
      maxBytes: sizeBytes,
      ...(backoffMs === undefined ? {} : {backoffMs}),
      onProgress: progressTo({context, onBytes}),
    }
    await receive(part, options)
    if (part.isMixed && part.digest() !== sha256) {
      // The pieces may be of two states of the mirror: only a whole one can be held against it.
      await part.restart()
      await receive(part, options)
    }
    const actual = part.digest()
    if (actual !== sha256) throw digestMismatchError({source: url.host, expected: sha256, actual})
    await part.publish()
  } catch (error) {
    throw explained(error, wanted)
  } finally {
    await file.close()
  }
}

function progressTo({context, onBytes}: Pick<Options, 'context' | 'onBytes'>) {
  return (event: Parameters<NonNullable<Parameters<typeof receive>[1]['onProgress']>>[0]) => {
    if (event.stage === 'download') onBytes(event.receivedBytes)
    if (event.stage === 'download-retry') {
      context.onProgress?.({stage: 'retry', waitMs: event.waitMs, reason: event.reason})
    }
  }
}

function explained(error: unknown, {name, url}: PlannedPackage): unknown {
  const shown = redactUrl(url)
  if (error instanceof DigestMismatchError || error instanceof UnexpectedSizeError) {
    return packageMismatchError({name, url: shown}, {cause: error})
  }
  if (error instanceof NetworkError && MISSING.includes(error.status)) {
    return packageMissingError({name, url: shown})
  }
  if (error instanceof NetworkError) return archiveUnreachableError(`The package ${name}`, shown, error)
  return error
}
