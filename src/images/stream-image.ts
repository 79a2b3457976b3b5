import {createHash} from 'node:crypto'
import {pipeline, type Readable, Transform} from 'node:stream'
import {finished} from 'node:stream/promises'
import {codeOf} from '../errors.js'
import {finishSha256, type Sha256} from '../host/digest.js'
import {imageUnreadableError, notAnImageFileError} from './errors.js'
import {identifyByDigest, judge, type OpenedImage} from './opened-image.js'

/** The process's own standard input, or what stands in for it. */
export type StandardInput = Readable & {readonly isTTY?: boolean}

/**
 * Takes the archive from standard input.
 *
 * @throws {@link notAnImageFileError} When it is a terminal: nothing was piped in.
 */
export function openStandardInputImage(
  standardInput: StandardInput,
  {sha256}: {sha256: Sha256 | undefined},
): OpenedImage {
  if (standardInput.isTTY === true) {
    throw notAnImageFileError(
      {source: 'standard input', reason: 'it is a terminal'},
      {suggestions: ['Pipe an archive in: envs create - < rootfs.tar.gz']},
    )
  }
  return openStreamImage(standardInput, {source: '-', sha256})
}

/** An archive that comes by once: its digest is made of the bytes as they pass to the reader. */
export function openStreamImage(
  origin: Readable,
  {source, sha256: expected}: {source: string; sha256: Sha256 | undefined},
): OpenedImage {
  const hash = createHash('sha256')
  let sizeBytes = 0
  const bytes = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      sizeBytes += chunk.length
      done(null, chunk)
    },
  })
  // A failure of either end reaches the reader and `verify` through `bytes`.
  pipeline(origin, bytes, () => {})
  let evidence: Promise<{sha256: Sha256; sizeBytes: number}> | undefined
  const readToEnd = async () => {
    // A reader may stop at the archive's own end; the digest is of all that was sent.
    if (!bytes.readableEnded) bytes.resume()
    try {
      await finished(bytes)
    } catch (error) {
      throw imageUnreadableError({source, reason: codeOf(error) ?? 'unknown reason'}, {cause: error})
    }
    return {sha256: finishSha256(hash), sizeBytes}
  }
  return {
    source,
    layers: [{bytes, sizeBytes: undefined}],
    expected,
    isReadToIdentify: false,
    identify: async () => identifyByDigest(expected),
    async verify() {
      evidence ??= readToEnd()
      return judge(await evidence, {source, expected})
    },
    async close() {
      bytes.destroy()
      origin.destroy()
    },
  }
}
