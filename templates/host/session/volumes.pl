# Folders and files of the host that one session sees. Loaded by session.pl if there are any.
#
# See open_tree(2), mount_setattr(2), move_mount(2).
use v5.12;

my $CLONE_NEWNS = 0x00020000;
my ($AT_FDCWD, $AT_EMPTY_PATH, $AT_RECURSIVE) = (-100, 0x1000, 0x8000);
my ($OPEN_TREE_CLONE, $OPEN_TREE_CLOEXEC) = (1, 02000000);
my ($MOUNT_ATTR_RDONLY, $MOVE_MOUNT_F_EMPTY_PATH) = (1, 4);
my ($nr_open_tree, $nr_move_mount, $nr_mount_setattr) = (428, 429, 442);
1;

# Clones a mount of the host before leaving the host.
sub clone_mount {
  my ($source, $target, $access) = @_;
  copy_host_mounts() or give_up('volume-namespace');
  my $tree = syscall($nr_open_tree, $AT_FDCWD, "$source", $OPEN_TREE_CLONE | $OPEN_TREE_CLOEXEC | $AT_RECURSIVE);
  $tree >= 0 or give_up('volume-source');
  if ($access eq 'ro') {
    my ($empty, $attributes) = ("\0", pack('Q4', $MOUNT_ATTR_RDONLY, 0, 0, 0));
    syscall($nr_mount_setattr, $tree, $empty, $AT_EMPTY_PATH | $AT_RECURSIVE, $attributes, length $attributes) == 0
      or give_up('volume-read-only');
  }
  return [$tree, $target, -d $source];
}

# Attaches them to a private copy of the guest's mounts, so that only this session sees them. The guest's root is this
# process's root by now: a planted link can't lead out.
sub attach_mounts {
  my ($nr_unshare, @mounts) = @_;
  syscall($nr_unshare, $CLONE_NEWNS) == 0 or give_up('volume-namespace');
  for my $mount (@mounts) {
    my ($tree, $target, $is_folder) = @$mount;
    make_target($target, $is_folder);
    my $empty = "\0";
    syscall($nr_move_mount, $tree, $empty, $AT_FDCWD, "$target", $MOVE_MOUNT_F_EMPTY_PATH) == 0
      or give_up('volume-target');
  }
}

sub make_target {
  my ($target, $is_folder) = @_;
  umask 022;
  my @parts = grep { length } split m{/}, $target;
  my $path = '';
  while (defined(my $part = shift @parts)) {
    $path .= "/$part";
    next if -e $path;
    if (@parts || $is_folder) { mkdir($path, 0755) || give_up('volume-target') }
    else { open(my $file, '>>', $path) or give_up('volume-target') }
  }
}
