/* test_disk_crew.c - who goes before whom, and who helps whom. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "swarm/io/disk_threads.h"
#include "tests/unit/own_disk.h"
#include "tests/unit/own_place.h"

#define KIB 1024u

/* It stands for what has been written, and does not wait for what is to be. (The worker may be through before it comes.) */
static void a_barrier_does_not_wait_for_what_is_to_be_written(void **state)
{
	(void)state;
	static const struct own_file one[] = { { "large", 4 << 20, false } };
	struct own_torrent t;
	uint32_t list[] = { 0 };
	struct shoal_seen seen[1];
	bool before = false;
	own_torrent_make(&t, OWN_V2, 16 * KIB, "n", one, 1, false);
	struct shoal_disk_threads *dt = own_disk_threads(&own_faults, 1);
	struct shoal_disk disk = shoal_disk_threads_disk(dt);
	uint32_t storage = own_disk_opened(dt, &t, false);
	for (int tries = 0; tries < 20 && !before; tries++) {
		struct own_task *task[256];
		struct shoal_disk_job *out[258];
		for (uint32_t p = 0; p < 256; p++)
			task[p] = own_task_new(&t, SHOAL_DISK_WRITE, SHOAL_DISK_LAST, storage, p, 0, 16 * KIB);
		for (uint32_t p = 0; p < 256; p++)
			assert_int_equal(disk.ops->submit(disk.d, &task[p]->job), 0);
		struct shoal_disk_job sync = { .op = SHOAL_DISK_SYNC,
					       .storage = storage,
					       .list = list,
					       .count = 1,
					       .seen = seen },
				      second = sync;
		assert_int_equal(disk.ops->submit(disk.d, &sync), 0);
		assert_int_equal(disk.ops->submit(disk.d, &second), 0);
		own_disk_reap(dt, out, 258);
		assert_ptr_equal(out[257], &second); /* one at a time, or nothing would be written any more */
		for (size_t i = 0; i < 128; i++)
			before = before || out[i] == &sync;
		for (uint32_t p = 0; p < 256; p++) {
			assert_int_equal(task[p]->hash.good, 1);
			own_task_free(task[p]);
		}
	}
	assert_true(before);
	disk.ops->close(disk.d, storage);
	shoal_disk_threads_free(dt);
	own_torrent_free(&t);
}

/* ---- threads that look at files meet ------------------------------------------------------- */

/* Those who look wait for each other until there are as many as are wanted, or one second is over. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t came;
	pthread_t who[8];
	unsigned count, want;
	bool late;
} meeting = { .lock = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER };

static void meet(unsigned want)
{
	pthread_mutex_lock(&meeting.lock);
	meeting.count = 0;
	meeting.want = want;
	meeting.late = false;
	pthread_mutex_unlock(&meeting.lock);
}

static struct timespec in_a_second(void)
{
	struct timespec end;
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec++;
	return end;
}

static void meeting_join(void)
{
	struct timespec end = in_a_second();
	bool known = false;
	pthread_mutex_lock(&meeting.lock);
	for (unsigned i = 0; i < meeting.count; i++)
		known = known || pthread_equal(meeting.who[i], pthread_self());
	if (!known && meeting.count < 8)
		meeting.who[meeting.count++] = pthread_self();
	pthread_cond_broadcast(&meeting.came);
	while (meeting.count < meeting.want && !meeting.late)
		meeting.late = pthread_cond_timedwait(&meeting.came, &meeting.lock, &end) == ETIMEDOUT;
	pthread_mutex_unlock(&meeting.lock);
}

static int meeting_look(int dir, const char *name, struct stat *st, int flags)
{
	meeting_join();
	return own_faults.fstatat(dir, name, st, flags);
}

/* Idle workers have a part in a long FINISH. */
static void many_workers_give_many_names(void **state)
{
	(void)state;
	enum { FILES = 400 };
	static char name[FILES][16];
	static struct own_file file[FILES];
	static struct shoal_seen seen[FILES];
	static uint32_t list[FILES];
	struct shoal_os_ops os = own_faults;
	struct own_torrent t;
	os.fstatat = meeting_look;
	for (uint32_t i = 0; i < FILES; i++) {
		snprintf(name[i], sizeof name[i], "%02u/%03u", i / 20, i);
		file[i] = (struct own_file){ name[i], 1 + i, false };
		list[i] = i;
	}
	own_torrent_make(&t, OWN_V2, 16 * KIB, "n", file, FILES, false);
	for (unsigned workers = 1; workers <= 5; workers += 2) {
		struct shoal_disk_threads *dt = own_disk_threads(&os, workers);
		struct shoal_disk disk = shoal_disk_threads_disk(dt);
		uint32_t storage = own_disk_opened(dt, &t, false);
		for (uint32_t p = 0; p < t.pieces; p++) {
			struct own_task *k = own_task_new(&t, SHOAL_DISK_WRITE, SHOAL_DISK_LAST, storage, p, 0,
							  shoal_metainfo_piece_bytes(t.mi, p));
			assert_int_equal(own_disk_run(dt, &k->job), 0);
			own_task_free(k);
		}
		struct shoal_disk_job finish = {
			.op = SHOAL_DISK_FINISH, .storage = storage, .list = list, .count = FILES, .seen = seen
		};
		meet(workers > 1 ? 2 : 1);
		assert_int_equal(own_disk_run(dt, &finish), 0);
		for (uint32_t f = 0; f < FILES; f++) {
			assert_int_equal(seen[f].state, SHOAL_SEEN_WHOLE);
			assert_int_equal(seen[f].stamp.size, file[f].size);
		}
		/* Once more does no harm. They may have been too late the first time. */
		for (int tries = 0; tries < 20 && meeting.count < meeting.want; tries++) {
			meet(workers > 1 ? 2 : 1);
			assert_int_equal(own_disk_run(dt, &finish), 0);
		}
		assert_true(meeting.count >= meeting.want);
		disk.ops->close(disk.d, storage);
		shoal_disk_threads_free(dt);
		assert_int_equal(own_faults_open(), 0);
		own_place_clear("n");
	}
	own_torrent_free(&t);
}

/* ---- two who ask ------------------------------------------------------------------------------ */

enum { TWO_FILES = 100, TWO_FIRST = 32 /* of one FINISH, taken at once */ };

/* The first who looks at a file of x is kept there until it is let go; those who look at files of y meet. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	pthread_t first;
	bool has_first, let_go, looked[TWO_FILES];
	unsigned looks;
} keep = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };

static int keep_look(int dir, const char *name, struct stat *st, int flags)
{
	if (name[0] == 'y' && isdigit((unsigned char)name[1]))
		return meeting_look(dir, name, st, flags);
	if (name[0] == 'x' && isdigit((unsigned char)name[1])) {
		unsigned i = (unsigned)strtoul(name + 1, NULL, 10);
		pthread_mutex_lock(&keep.lock);
		if (!keep.has_first)
			keep.first = pthread_self();
		keep.has_first = true;
		if (i < TWO_FILES) {
			keep.looks += !keep.looked[i];
			keep.looked[i] = true;
		}
		pthread_cond_broadcast(&keep.moved);
		while (!keep.let_go && pthread_equal(keep.first, pthread_self()))
			pthread_cond_wait(&keep.moved, &keep.lock);
		pthread_mutex_unlock(&keep.lock);
	}
	return own_faults.fstatat(dir, name, st, flags);
}

/* Until all of x has been looked at but what the first one has, or been waited for for seconds. */
static bool keep_alone(void)
{
	unsigned looks = 0;
	for (int ms = 0; ms < 5000 && looks < TWO_FILES - TWO_FIRST + 1; ms++) {
		usleep(1000);
		pthread_mutex_lock(&keep.lock);
		looks = keep.looks;
		pthread_mutex_unlock(&keep.lock);
	}
	usleep(50000);
	return looks == TWO_FILES - TWO_FIRST + 1;
}

static void keep_end(void)
{
	pthread_mutex_lock(&keep.lock);
	keep.let_go = true;
	pthread_cond_broadcast(&keep.moved);
	pthread_mutex_unlock(&keep.lock);
}

static void keep_begin(void)
{
	pthread_mutex_lock(&keep.lock);
	keep.has_first = keep.let_go = false;
	keep.looks = 0;
	memset(keep.looked, 0, sizeof keep.looked);
	pthread_mutex_unlock(&keep.lock);
}

static void meeting_wait(unsigned count)
{
	bool there = false;
	for (int ms = 0; ms < 900 && !there; ms++) {
		usleep(1000);
		pthread_mutex_lock(&meeting.lock);
		there = meeting.count >= count;
		pthread_mutex_unlock(&meeting.lock);
	}
}

/* One FINISH whose work has all been taken ends while another asks for help: whoever comes free by that helps as well. */
static void an_end_takes_no_help_from_another(void **state)
{
	(void)state;
	static char name[2][TWO_FILES][8];
	static struct own_file file[2][TWO_FILES];
	static struct shoal_seen seen[2][TWO_FILES];
	static uint32_t list[TWO_FILES];
	struct shoal_os_ops os = own_faults;
	struct shoal_disk_job finish[2], *out[2];
	struct own_torrent t[2];
	os.fstatat = keep_look;
	struct shoal_disk_threads *dt = own_disk_threads(&os, 3);
	struct shoal_disk disk = shoal_disk_threads_disk(dt);
	keep_end();
	meet(0);
	for (unsigned k = 0; k < 2; k++) {
		for (uint32_t i = 0; i < TWO_FILES; i++) {
			snprintf(name[k][i], sizeof name[k][i], "%c%03u", "xy"[k], i);
			file[k][i] = (struct own_file){ name[k][i], 100, false };
			list[i] = i;
		}
		own_torrent_make(&t[k], OWN_V2, 16 * KIB, k ? "ny" : "nx", file[k], TWO_FILES, false);
		uint32_t storage = own_disk_opened(dt, &t[k], false);
		for (uint32_t p = 0; p < t[k].pieces; p++) {
			struct own_task *w = own_task_new(&t[k], SHOAL_DISK_WRITE, SHOAL_DISK_LAST, storage, p, 0, 100);
			assert_int_equal(own_disk_run(dt, &w->job), 0);
			own_task_free(w);
		}
		finish[k] = (struct shoal_disk_job){
			.op = SHOAL_DISK_FINISH, .storage = storage, .list = list, .count = TWO_FILES, .seen = seen[k]
		};
	}
	bool three = false;
	for (int tries = 0; tries < 5 && !three; tries++) { /* some may not have been idle in time */
		keep_begin();
		meet(3);
		assert_int_equal(disk.ops->submit(disk.d, &finish[0]), 0);
		bool alone = keep_alone();
		assert_int_equal(disk.ops->submit(disk.d, &finish[1]), 0);
		meeting_wait(2);
		keep_end();
		own_disk_reap(dt, out, 2);
		assert_int_equal(finish[0].err, 0);
		assert_int_equal(finish[1].err, 0);
		three = alone && meeting.count == 3;
	}
	assert_true(three);
	shoal_disk_threads_free(dt);
	assert_int_equal(own_faults_open(), 0);
	own_torrent_free(&t[0]);
	own_torrent_free(&t[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own_place_test(a_barrier_does_not_wait_for_what_is_to_be_written),
		own_place_test(many_workers_give_many_names),
		own_place_test(an_end_takes_no_help_from_another),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
