import type {Member, MemberSink, Timestamp} from '../tar/member.js'

/** A file of root that belongs to no package. */
export type AddedFile = {
  /** Relative to the root. */
  readonly path: string
  /** Byte string (latin1). */
  readonly content: string
  readonly mode: number
}

/** Writes the file through the tree's writer, so that it gets the treatment of packages' files. */
export function addFile(
  sink: MemberSink,
  {
    path,
    content,
    mode,
    modified,
  }: Omit<AddedFile, 'content'> & {readonly content: string | Buffer; readonly modified: Timestamp},
): void {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content
  const size = {sizeBytes: bytes.length, storedBytes: bytes.length, capability: undefined}
  const member: Member = {kind: 'file', name: path, mode, modified, uid: 0, gid: 0, ...size}
  sink.begin(member)
  if (bytes.length > 0) sink.data(bytes, 0)
  sink.end()
}
