/** The kinds of armour that are read here. */
type Kind = 'PUBLIC KEY BLOCK' | 'SIGNATURE'

/** Binary packets begin with a set high bit; no text does. @see RFC 9580, section 4.2 */
export function isBinary(bytes: Buffer): boolean {
  return ((bytes[0] ?? 0) & 0x80) !== 0
}

/**
 * Cuts a text into its armoured blocks of one kind; what stands between them is no part of any.
 *
 * A reader of OpenPGP stops at the end of the first block, so that the keys or signatures of a concatenation
 * would be lost.
 *
 * @returns undefined when a block has no end.
 */
export function armouredBlocks(text: string, kind: Kind): string[] | undefined {
  const blocks: string[] = []
  let block: string[] | undefined
  for (const line of text.split('\n')) {
    const mark = line.trimEnd()
    if (mark === `-----BEGIN PGP ${kind}-----`) {
      if (block !== undefined) return undefined
      block = []
    }
    block?.push(mark)
    if (mark === `-----END PGP ${kind}-----` && block !== undefined) {
      blocks.push(`${block.join('\n')}\n`)
      block = undefined
    }
  }
  return block === undefined ? blocks : undefined
}
