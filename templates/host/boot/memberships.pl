# Shows processes of a guest their make-believe control group. Loaded by boot.pl with boot/cgroups.pl.
#
#   my $memberships = Memberships->new({pid => ..., calls => {unshare => ..., setns => ..., umount2 => ...},
#     others => [...]});
#     pid      of the guest's first process, whose own program has not started: what is opened here is what was mounted
#     calls    system call numbers
#     others   handles that the child process must not keep open
#   $memberships->show($process, $group, $path)
#     process  its id in the guest
#     group    a number that stands for the path
#
# The kernel says in /proc/PID/cgroup where a process really is, so a file that says something else is mounted there. A user manager of
# systemd looks for its own group so, and logind for the session of a process. The mount ends with the process. The guest's /proc is
# shared, so services with mounts of their own see it as well. The files are in "groups" in the run folder, one for each group.
#
# Mounts are made by a child process: it enters the guest's mount namespace, and this program must not. It calls nothing that the
# hierarchy would have to answer meanwhile. Before Linux 5.2, no file is mounted.
#
# See open_tree(2), move_mount(2), mount_setattr(2), proc_pid_cgroup(5).
package Memberships;
use v5.12;
use warnings;

my ($CLONE_NEWNS, $MNT_DETACH, $UMOUNT_NOFOLLOW) = (0x00020000, 2, 8);
my ($AT_EMPTY_PATH, $OPEN_TREE_CLONE, $OPEN_TREE_CLOEXEC, $MOVE_MOUNT_F_EMPTY_PATH) = (0x1000, 1, 02000000, 4);
# Read-only, without devices, programs or other ids.
my $MOUNT_ATTRIBUTES = 1 | 2 | 4 | 8;
# The same numbers on every supported processor.
my ($nr_open_tree, $nr_move_mount, $nr_mount_setattr) = (428, 429, 442);
my $FOLDER = 'groups';
1;

sub new {
  my ($class, $guest) = @_;
  mkdir $FOLDER;
  opendir(my $files, $FOLDER) or main::fail($FOLDER);
  unlink "$FOLDER/$_" for grep { /^\d+\z/ } readdir $files;
  closedir $files;
  my $self = bless {calls => $guest->{calls}, written => {}}, $class;
  opendir($self->{proc}, "/proc/$guest->{pid}/root/proc") or main::fail('the guest\'s /proc');
  my ($asked, $told);
  pipe($asked, $self->{asks}) && pipe($self->{hears}, $told) or main::fail('pipe');
  my $child = fork() // main::fail('fork');
  if ($child == 0) {
    $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP CHLD PIPE);
    # Held here, FUSE would keep requests waiting for an answer when the parent dies, and others would wait for its end.
    close $_ for @$self{qw(asks hears)}, @{$guest->{others}};
    $self->serve($guest->{pid}, $asked, $told);
    kill KILL => $$;
  }
  return $self;
}

sub show {
  my ($self, $process, $group, $path) = @_;
  return unless $self->{asks} && $self->write_file($group, "0::$path\n");
  return if $self->is_shown($process, $group);
  return if defined syswrite($self->{asks}, "$process $group\n") && sysread $self->{hears}, my $answer, 1;
  # The child has ended. Processes see where they really are.
  delete @$self{qw(asks hears)};
}

sub is_shown {
  my ($self, $process, $group) = @_;
  my @mounted = stat '/proc/self/fd/' . fileno($self->{proc}) . "/$process/cgroup";
  my @wanted = stat "$FOLDER/$group";
  return @mounted && @wanted && "@mounted[0, 1]" eq "@wanted[0, 1]";
}

sub forget {
  my ($self, $group) = @_;
  unlink "$FOLDER/$group" if delete $self->{written}{$group};
}

sub write_file {
  my ($self, $group, $text) = @_;
  return 1 if $self->{written}{$group};
  open(my $file, '>', "$FOLDER/$group") or return 0;
  chmod 0444, $file;
  return $self->{written}{$group} = defined syswrite($file, $text) && close $file;
}

# In the child, until its parent ends.
sub serve {
  my ($self, $pid, $asked, $told) = @_;
  # Only what is mounted in a namespace of its own can be cloned.
  syscall($self->{calls}{unshare}, $CLONE_NEWNS) == 0 or return;
  open($self->{own}, '<', '/proc/self/ns/mnt') && open($self->{guests}, '<', "/proc/$pid/ns/mnt") or return;
  opendir($self->{files}, $FOLDER) or return;
  while (sysread $asked, my $line, 64) {
    $self->mount_file($1, $2) if $line =~ /^(\d+) (\d+)\n\z/;
    syswrite $told, '.';
  }
}

# The file of an earlier group goes first. Fails for a process that has ended.
sub mount_file {
  my ($self, $process, $group) = @_;
  my ($at, $empty, $name) = ("$process/cgroup", "\0", "$group");
  my $tree = syscall($nr_open_tree, fileno $self->{files}, $name, $OPEN_TREE_CLONE | $OPEN_TREE_CLOEXEC);
  return if $tree < 0;
  open(my $handle, '<&=', $tree) or return;
  my $attributes = pack 'Q4', $MOUNT_ATTRIBUTES, 0, 0, 0;
  syscall($nr_mount_setattr, $tree, $empty, $AT_EMPTY_PATH, $attributes, length $attributes);
  syscall($self->{calls}{setns}, fileno $self->{guests}, $CLONE_NEWNS) == 0 or return;
  chdir $self->{proc};
  syscall($self->{calls}{umount2}, $at, $MNT_DETACH | $UMOUNT_NOFOLLOW);
  syscall($nr_move_mount, $tree, $empty, fileno $self->{proc}, $at, $MOVE_MOUNT_F_EMPTY_PATH);
  syscall($self->{calls}{setns}, fileno $self->{own}, $CLONE_NEWNS) == 0 or exit 1;
}
