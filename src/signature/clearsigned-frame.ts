import type {EnvsError} from '../errors.js'
import {clearsignedFrameError} from './errors.js'

const BEGIN_MESSAGE = '-----BEGIN PGP SIGNED MESSAGE-----'
const BEGIN_SIGNATURE = '-----BEGIN PGP SIGNATURE-----'
const END_SIGNATURE = '-----END PGP SIGNATURE-----'

/**
 * Decodes a file that must be one clearsigned message, surrounded only by blank lines.
 *
 * An OpenPGP parser reads the first message and ignores text before and after it, and a second message. A
 * program that read the whole file would treat that text as signed.
 *
 * @throws {@link clearsignedFrameError}
 * @see RFC 9580, section 7: a signed line that begins with a hyphen is written with `- ` before it.
 */
export function clearsignedText(bytes: Buffer, name: string): string {
  const refuse = (reason: string) => clearsignedFrameError({listing: name, reason})
  const text = decode(bytes, refuse)
  if (text.startsWith('\uFEFF')) throw refuse('it begins with a byte order mark')
  const lines = text.split('\n').map((line) => line.trimEnd())
  const begin = lines.findIndex((line) => line !== '')
  if (lines[begin] !== BEGIN_MESSAGE) throw refuse('it does not begin as a clearsigned message')
  const signature = lines.indexOf(BEGIN_SIGNATURE)
  const end = lines.indexOf(END_SIGNATURE)
  if (signature === -1 || end < signature) throw refuse('its signature is cut off')
  if (lines.slice(begin + 1, signature).some((line) => /^-(?! )/.test(line) && line !== '-')) {
    throw refuse('one of its lines begins like an armour')
  }
  if (lines.slice(signature + 1, end).some((line) => line.startsWith('-'))) {
    throw refuse('a line of its signature begins like an armour')
  }
  if (lines.slice(end + 1).some((line) => line !== '')) throw refuse('there is text after the message')
  return text
}

function decode(bytes: Buffer, refuse: (reason: string) => EnvsError): string {
  try {
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes)
  } catch (error) {
    if (error instanceof TypeError) throw refuse('it is not UTF-8')
    throw error
  }
}
