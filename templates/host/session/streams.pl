# Regular files of the caller as standard input, output or error of a guest's command. Loaded by session.pl if there
# is one.
#
# A descriptor of a file gives more rights than its open mode: the file's owner, who is the guest's root on the host, can open
# the file again for writing through /proc/self/fd, and change its mode. So a file to read is opened through a read-only clone
# of its mount, and a file to write is behind a pipe, which the session reads.
#
# See open_tree(2), mount_setattr(2), proc_pid_fd(5), pipe(7).
use v5.12;

my $EINTR = 4;
my ($AT_FDCWD, $AT_EMPTY_PATH, $AT_SYMLINK_NOFOLLOW) = (-100, 0x1000, 0x100);
my ($OPEN_TREE_CLONE, $OPEN_TREE_CLOEXEC) = (1, 02000000);
my $READ_ONLY_ATTRIBUTES = 1 | 2 | 4;    # MOUNT_ATTR_RDONLY, NOSUID, NODEV
my ($nr_open_tree, $nr_mount_setattr, $nr_pidfd_open) = (428, 442, 434);
my ($F_GETFL, $F_SETFL, $F_SETPIPE_SZ) = (3, 4, 1031);
my ($O_RDONLY, $O_ACCMODE, $O_NONBLOCK) = (0, 3, 04000);
my ($SEEK_SET, $SEEK_CUR) = (0, 1);
my $PIPE_BYTES = 1 << 20;
my @opened;
# Those whose far end may still give something.
my @carried;
my ($woken, $wakes);
# Readable when the command has ended; undef before Linux 5.3.
my $ending;
1;

# Before leaving the host. Returns the handle for the command.
sub open_file_stream {
  my ($number) = @_;
  my $file = standard_stream($number);
  my $access = fcntl($file, $F_GETFL, 0) & $O_ACCMODE;
  return open_to_read($file) if $access == $O_RDONLY || $number == 0;
  # The two streams of ">file 2>&1" are one, or the order of their output would be lost.
  my @facts = ((stat $file)[0, 1], fcntl($file, $F_GETFL, 0));
  for my $other (@opened) { return {handle => $other->{handle}} if "@facts" eq $other->{facts} }
  my $stream = open_pipe($file, 'out');
  $stream->{facts} = "@facts";
  push @opened, $stream;
  return $stream;
}

sub open_to_read {
  my ($file) = @_;
  my $position = sysseek($file, 0, $SEEK_CUR);
  my $copy = clone_file($file) // return open_pipe($file, 'in');
  sysseek($copy, $position, $SEEK_SET);
  return {handle => $copy, original => $file};
}

# Opens the same file through a read-only mount; returns undef if that is impossible.
sub clone_file {
  my ($file) = @_;
  my $path = readlink('/proc/self/fd/' . fileno $file) // return;
  copy_host_mounts() or return;
  my $number = syscall($nr_open_tree, $AT_FDCWD, $path, $OPEN_TREE_CLONE | $OPEN_TREE_CLOEXEC | $AT_SYMLINK_NOFOLLOW);
  return if $number < 0;
  open(my $tree, '<&=', $number) or return;
  my ($empty, $attributes) = ("\0", pack('Q4', $READ_ONLY_ATTRIBUTES, 0, 0, 0));
  syscall($nr_mount_setattr, $number, $empty, $AT_EMPTY_PATH, $attributes, length $attributes) == 0 or return;
  # Another file may have that name by now.
  my $link = "/proc/self/fd/$number";
  return unless is_same($file, $link) && sysopen(my $copy, $link, $O_RDONLY);
  return $copy;
}

# A pipe in the place of a file: a process beside the session feeds one that is read, the session itself carries what comes through
# one that is written to.
sub open_pipe {
  my ($file, $direction) = @_;
  pipe(my $reader, my $writer) or give_up('stream');
  fcntl($writer, $F_SETPIPE_SZ, $PIPE_BYTES);
  return {file => $file, pipe => 1, feeds => 1, handle => $reader, far_end => $writer} if $direction eq 'in';
  pipe($woken, $wakes) or give_up('stream') unless $woken;
  fcntl($_, $F_SETFL, $O_NONBLOCK) for $reader, $woken, $wakes;
  my $stream = {file => $file, pipe => 1, carries => 1, handle => $writer, far_end => $reader};
  push @carried, $stream;
  return $stream;
}

# Runs in a process of its own. Seeks back over the bytes that the guest did not read.
sub feed_pipe {
  my ($stream) = @_;
  leave_caller($stream, '<&');
  while (my $got = sysread($stream->{file}, my $bytes, 65536)) {
    my $put = write_all($stream->{far_end}, $bytes);
    next if $put == $got;
    sysseek($stream->{file}, $put - $got, $SEEK_CUR);
    last;
  }
}

# Closes the caller's streams, so that this process keeps none of them open, and ignores the signals of the caller's terminal.
sub leave_caller {
  my ($stream, $mode) = @_;
  setpgrp(0, 0);
  open(my $file, $mode, $stream->{file}) or exit 1;
  $stream->{file} = $file;
  close $_ for *STDIN, *STDOUT, *STDERR;
  $SIG{$_} = 'IGNORE' for qw(INT QUIT TERM HUP USR1 USR2 PIPE XFSZ TSTP);
  close $stream->{handle};
}

# Called once the command runs: the command must start with the default signal actions.
sub begin_carrying {
  my ($child) = @_;
  close $_->{handle} for @carried;
  # Perl calls the handler of a signal between two of its operations, so one that comes just before select waits is heard when select
  # returns: never, perhaps. The end of the command is seen in its descriptor too.
  my $number = syscall($nr_pidfd_open, $child + 0, 0);
  open($ending, '<&=', $number) if $number >= 0;
  $SIG{CHLD} = sub { syswrite $wakes, '.' };
  $SIG{XFSZ} = 'IGNORE';
}

# Copies the command's output to the files until a child process changes its state or a signal arrives.
sub carry_until_signal {
  my $is_over;
  until ($is_over) {
    my $readable = '';
    vec($readable, fileno $_, 1) = 1 for $woken, $ending // (), map { $_->{far_end} } @carried;
    my $found = select($readable, undef, undef, undef);
    return if $found <= 0;
    $is_over = grep { vec($readable, fileno $_, 1) } $woken, $ending // ();
    # A copy, because carry_some removes an ended stream from @carried.
    my @ready = grep { vec($readable, fileno $_->{far_end}, 1) } @carried;
    carry_some($_) for @ready;
  }
  sysread($woken, my $nothing, 64);
}

# Returns how many bytes were copied; 0 at the end of the stream, undef while the pipe is empty.
sub carry_some {
  my ($stream) = @_;
  my $got = sysread($stream->{far_end}, my $bytes, $PIPE_BYTES) // return;
  return $got if $got > 0 && write_all($stream->{file}, $bytes) == $got;
  # A process that still writes gets SIGPIPE.
  $stream->{error} = $! + 0 if $got > 0;
  close $stream->{far_end};
  @carried = grep { $_ != $stream } @carried;
  return 0;
}

# Returns how many bytes were written.
sub write_all {
  my ($to, $bytes) = @_;
  my $at = 0;
  while ($at < length $bytes) {
    my $put = syswrite($to, $bytes, length($bytes) - $at, $at);
    if    (defined $put)  { $at += $put }
    elsif ($! != $EINTR) { last }
  }
  return $at;
}

# After the command's end. Returns the failure, if any.
sub finish_stream {
  my ($stream) = @_;
  if ($stream->{original}) { sysseek($stream->{original}, sysseek($stream->{handle}, 0, $SEEK_CUR), $SEEK_SET) }
  if ($stream->{feeds}) { close $stream->{handle} }
  return unless $stream->{carries};
  my ($held, $got) = (0, 1);
  # The pipe held at most this much when the command ended; later output belongs to other processes.
  while ($got && $held <= $PIPE_BYTES && grep { $_ == $stream } @carried) { $held += $got = carry_some($stream) // 0 }
  # A process that the command left may continue to write: the session does not wait for it.
  $stream->{error} = $! + 0 if (grep { $_ == $stream } @carried) && !defined fork_helper(\&carry_on, $stream);
  return unless $stream->{error};
  $! = $stream->{error};
  print STDERR "envs: not all that the command wrote is in the file: $!\n";
  return 1;
}

# Copies the rest, in a process of its own.
sub carry_on {
  my ($stream) = @_;
  leave_caller($stream, '>&');
  fcntl($stream->{far_end}, $F_SETFL, 0);
  while (carry_some($stream)) { }
}
