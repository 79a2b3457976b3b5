type FileChange = {
  readonly path: string
  readonly change: string
  readonly kind: string
  readonly package: string | null
}

/** A line of a list; `inside` is how many more files it stands for, left out for none. */
type Folded<File> = File & {readonly inside?: number}

/** So many in one folder are told of one by one. */
const MOST_SIBLINGS = 10

/**
 * Shortens a list of files: what came, or went, with the folder it lies in is told of with the folder, and so are many
 * files of one folder to which the same happened.
 *
 * @param files - Folders before what is in them.
 */
export function foldFiles<File extends FileChange>(files: readonly File[]): Folded<File>[] {
  return foldSiblings(foldFolders(files))
}

function foldFolders<File extends FileChange>(files: readonly File[]): Folded<File>[] {
  const shown: Folded<File>[] = []
  for (const file of files) {
    const folder = shown.at(-1)
    if (folder !== undefined && cameWith(file, folder))
      shown[shown.length - 1] = {...folder, inside: (folder.inside ?? 0) + 1}
    else shown.push(file)
  }
  return shown
}

function cameWith({path, change}: FileChange, folder: FileChange): boolean {
  const isWhole = folder.kind === 'folder' && folder.change !== 'changed'
  return isWhole && folder.change === change && path.startsWith(`${folder.path}/`)
}

function foldSiblings<File extends FileChange>(files: readonly Folded<File>[]): Folded<File>[] {
  const counts = new Map<string, number>()
  for (const file of files) counts.set(keyOf(file), (counts.get(keyOf(file)) ?? 0) + 1)
  const told = new Set<string>()
  return files.flatMap((file) => {
    const key = keyOf(file)
    const inside = counts.get(key) ?? 0
    if (inside <= MOST_SIBLINGS) return [file]
    if (told.has(key)) return []
    told.add(key)
    return [{...file, path: folderOf(file), kind: 'folder', package: null, inside}]
  })
}

function keyOf(file: FileChange): string {
  return file.kind === 'folder' ? file.path : `${folderOf(file)} ${file.change}`
}

function folderOf({path}: FileChange): string {
  return path.slice(0, path.lastIndexOf('/') + 1)
}
