/** Supported kinds of armour. */
type Kind = 'PUBLIC KEY BLOCK' | 'SIGNATURE'

/**
 * Returns whether bytes are binary packets, which begin with a set high bit, unlike text. @see RFC 9580,
 * section 4.2
 */
export function isBinary(bytes: Buffer): boolean {
  return ((bytes[0] ?? 0) & 0x80) !== 0
}

/**
 * Returns the armoured blocks of one kind in a text, without the text between them.
 *
 * An OpenPGP parser stops at the end of the first block, and would lose the keys or signatures after it.
 *
 * @returns Undefined if a block has no end.
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
