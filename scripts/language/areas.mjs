/**
 * Where people read. An area with `held` fails the check; the others are counted by `--all` until their texts are rewritten.
 * `texts`: comments alone, or strings as well. Files that are generated are checked at their source.
 */
export const AREAS = [
  {name: 'front page', paths: ['README.md'], held: true},
  {name: 'commands', paths: ['commands'], texts: 'all', held: true},
  {name: 'generated pages', paths: ['docs/commands'], held: true},
  {name: 'decisions', paths: ['docs/decisions'], held: true},
  {
    name: 'docs',
    paths: ['docs', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md'],
    held: true,
  },
  {name: 'src', paths: ['src'], texts: 'all', held: true},
  {name: 'templates', paths: ['templates'], texts: 'comments', held: true},
  {name: 'scripts', paths: ['scripts'], texts: 'comments', held: true},
  {name: 'bench', paths: ['bench'], texts: 'comments', held: true},
  {name: 'matrix', paths: ['matrix'], texts: 'comments', held: true},
  {name: 'hosts', paths: ['hosts'], texts: 'comments', held: true},
]
