# Sessions that need Node: it reads flags, starts a stopped environment, and prints errors. Loaded by join.pl.
use v5.12;

our ($package, @typed, @ignored, $is_session, $report);
require "$package/templates/host/join/plan.pl";
my ($O_RDONLY, $F_SETFD) = (0, 2);
# Needs of Node's start: with fewer threads it waits for ever, with fewer descriptors or less memory it crashes.
my ($NODE_THREADS, $NODE_DESCRIPTORS, $NODE_BYTES) = (16, 24, 512 << 20);
# Signals by which a crash ends a program: ILL TRAP ABRT BUS FPE SEGV.
my %is_crash = map { $_ => 1 } 4 .. 8, 11;
1;

# Reads a plan from envs.js through a pipe; an end without a word ends this program.
sub plan_of_node {
  require_room();
  close_strays();
  pipe(my $reader, my $writer) or go_by_node();
  # Nothing is written to this pipe: Node runs a session of proot itself, and its end of the pipe closes when this process is killed.
  pipe(my $parent_ends, my $parent_lives) or go_by_node();
  my $child = fork_receiver();
  if ($child == 0) {
    $ENV{ENVS_HAND_OVER} = join ',', fileno $writer, fileno $parent_ends;
    fcntl($_, $F_SETFD, 0) for $writer, $parent_ends;
    become_node();
  }
  close $_ for $writer, $parent_ends;
  my $text = read_to_end($reader);
  my $plan = read_plan($text);
  # Before the wait: until envs.js ends, the environment does not end for lack of a session.
  open_hold($plan) if $plan;
  my $status = wait_for($child);
  leave($status) unless $status == 0 && length $text;
  return $plan // go_by_node();
}

# Ends this program. Node resets ignored signals, so it gets a parent that ignores them.
sub run_node {
  become_node() unless needs_own_group();
  require_room();
  my $child = fork_receiver();
  become_node() if $child == 0;
  leave(wait_for($child));
}

# Ends with the status of Node, and explains a crash.
sub leave {
  my ($status) = @_;
  print STDERR "envs: Node.js crashed: a limit of this account may leave it too little memory or too few processes.\n  To see the limits: ulimit -a\n"
    if $is_crash{$? & 127};
  exit $status;
}

# Node and its children then get no signal that is sent to the caller's process group. A terminal stops readers of other groups.
sub needs_own_group { return @ignored && !-t STDIN }

sub become_node {
  require_room();
  setpgrp(0, 0) if needs_own_group();
  if ($report) {
    fcntl($report, $F_SETFD, 0);
    $ENV{ENVS_START_REPORT} = fileno $report;
  }
  exec { 'node' } 'node', '--', "$package/bin/envs.js", @typed or node_is_missing();
}

sub node_is_missing {
  refuse('Node.js was not found.', 'Install Node.js 20.17 or later; your own copy of it needs no administrator.');
}

sub refuse {
  my ($problem, $next_step) = @_;
  print STDERR "envs: $problem\n  $next_step\n";
  exit($is_session ? 125 : 7);
}

# Refuses what Node could not even report: limits that leave no room for its start.
sub require_room {
  state $has_room = 0;
  return if $has_room++;
  my $limits = read_whole('/proc/self/limits', $O_RDONLY, 65536) // return;
  my $next_step = 'End some of your programs, or raise the limit. To see the limits: ulimit -a';
  my $limit_of = sub { $limits =~ /^$_[0] +([0-9]+) /m ? $1 : undef };
  my $descriptors = $limit_of->('Max open files');
  refuse("A limit of this account is reached: $descriptors open files of a process (ulimit -n).", $next_step)
    if defined $descriptors && !can_open($NODE_DESCRIPTORS);
  my $bytes = $limit_of->('Max address space');
  refuse('A limit of this account is reached: ' . ($bytes >> 10) . ' KiB of memory (ulimit -v).', $next_step)
    if defined $bytes && $bytes < $NODE_BYTES;
  my $processes = $limit_of->('Max processes') // return;
  # The threads of all users, which need no search, are far below the limit of one on most hosts.
  my ($all) = (read_whole('/proc/loadavg', $O_RDONLY, 4096) // '') =~ m{/([0-9]+) };
  return if defined $all && $all + $NODE_THREADS < $processes;
  refuse("A limit of this account is reached: $processes processes and threads (ulimit -u).", $next_step)
    unless can_fork($NODE_THREADS);
}

# Node can't replace descriptors above the limit, which a guest must not get.
sub close_strays {
  opendir(my $folder, '/proc/self/fd') or return;
  my @numbers = grep { /^[0-9]+$/ && $_ > 2 } readdir $folder;
  closedir $folder;
  for my $number (grep { !$report || $_ != fileno $report } @numbers) {
    open(my $stray, '<&=', $number) or next;
    close $stray;
  }
}

sub can_open {
  my ($wanted) = @_;
  my @taken;
  while (@taken < $wanted) { open($taken[@taken], '<', '/dev/null') or return 0 }
  return 1;
}

# All at once: each waits for the end of the pipe.
sub can_fork {
  my ($wanted) = @_;
  pipe(my $waits, my $ends) or return 0;
  my @children;
  while (@children < $wanted) {
    my $child = fork() // last;
    if ($child == 0) { close $ends; sysread $waits, my $nothing, 1; exit 0 }
    push @children, $child;
  }
  close $ends;
  waitpid $_, 0 for @children;
  return @children == $wanted;
}
