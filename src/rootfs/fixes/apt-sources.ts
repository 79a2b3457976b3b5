import {replaceUris} from '../../debian/apt-sources.js'
import {replacementFor} from '../apt/archives.js'
import {readSourceFiles} from '../apt/source-files.js'
import type {Fix} from './fix.js'

/** Decides for each entry by its own suite: a tree may name several, and os-release names only one. */
export const aptSources: Fix = {
  name: 'apt-sources',
  describe: 'let APT ask archives that hold the release, and the mirrors of the settings',
  plan(tree, {archives}) {
    return readSourceFiles(tree).flatMap(({path, format, text, mode}) => {
      const replaced = replaceUris(text, format, (source) => replacementFor(source, archives))
      if (replaced === text) return []
      return [{kind: 'file', path, content: Buffer.from(replaced, 'latin1'), mode}] as const
    })
  },
}
