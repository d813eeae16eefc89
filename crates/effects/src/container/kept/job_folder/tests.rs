#![cfg(unix)]

use super::*;
use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::SystemTime;

fn job(temporary: &Path, agent: &str, id: &str) -> Job {
    let variables = [("BUILDKITE_JOB_ID", id), ("BUILDKITE_AGENT_NAME", agent)];
    let variables: BTreeMap<_, _> =
        variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Job::of(Path::new("/checkout"), temporary.to_owned(), variables)
}

fn create(job: &Job) -> JobFolder {
    let container = ContainerRecord {
        engine: Engine::Docker,
        platform: None,
        image: "i".into(),
        checkout: job.checkout.clone(),
        made: None,
    };
    JobFolder::create(job, Some(container)).unwrap()
}

#[test]
fn a_containers_folder_is_left_behind_when_its_process_is_gone_and_it_is_the_agents() {
    let temporary = tempfile::tempdir().unwrap();
    let (mine, other) = (job(temporary.path(), "a", "1/2"), job(temporary.path(), "b", "3"));
    let held = create(&mine);
    assert!(left_behind(&mine).is_empty(), "its process lives");
    drop(held);
    drop(create(&other));
    let next = job(temporary.path(), "a", "4");
    let found = left_behind(&next);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].record.job, "1/2");
}

#[test]
fn a_host_jobs_folder_is_left_behind_for_any_agent_and_comes_first() {
    let temporary = tempfile::tempdir().unwrap();
    let next = job(temporary.path(), "a", "2");
    drop(create(&next));
    let held = JobFolder::create(&job(temporary.path(), "b", "1"), None).unwrap();
    assert_eq!(left_behind(&next).len(), 1, "its process lives");
    drop(held);
    let found = left_behind(&next);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].record, Record { job: "1".into(), agent: Some("b".into()), container: None });
}

#[test]
fn a_job_on_the_host_can_start_a_container_of_its_own() {
    let temporary = tempfile::tempdir().unwrap();
    let job = job(temporary.path(), "a", "1");
    let host = JobFolder::create(&job, None).unwrap();
    let container = create(&job);
    assert_ne!(host.path(), container.path());
    assert_eq!(of_host(&job).as_deref(), Some(host.path()));
}

#[test]
fn what_an_earlier_try_of_a_host_job_left_is_replaced() {
    let temporary = tempfile::tempdir().unwrap();
    let job = job(temporary.path(), "a", "1");
    let first = JobFolder::create(&job, None).unwrap();
    fs::write(first.path().join("old"), "").unwrap();
    assert!(JobFolder::create(&job, None).is_err(), "its process lives");
    drop(first);
    let second = JobFolder::create(&job, None).unwrap();
    assert!(!second.path().join("old").exists());
}

#[test]
fn nothing_that_others_can_have_created_is_touched() {
    let temporary = tempfile::tempdir().unwrap();
    let job = job(temporary.path(), "a", "1");
    let path = path_of(&job.temporary, "0", false);
    let real = temporary.path().join("real");
    fs::create_dir(&real).unwrap();
    let record = r#"{"job": "0", "agent": "a"}"#;
    fs::write(real.join(RECORD), record).unwrap();
    // A link to a folder.
    symlink(&real, &path).unwrap();
    assert!(left_behind(&job).is_empty() && of_host(&self::job(temporary.path(), "a", "0")).is_none());
    fs::remove_file(&path).unwrap();
    // A folder that others may look into.
    fs::rename(&real, &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(left_behind(&job).is_empty());
    assert!(JobFolder::create(&self::job(temporary.path(), "a", "0"), None).is_err());
    assert_eq!(fs::read_to_string(path.join(RECORD)).unwrap(), record, "it stays");
    // The same folder, private.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(left_behind(&job).len(), 1);
}

#[test]
fn a_withdrawn_folder_is_found_again_and_removed() {
    let temporary = tempfile::tempdir().unwrap();
    let job = job(temporary.path(), "a", "1");
    let mut folder = create(&job);
    folder.withdraw().unwrap();
    drop(folder);
    let mut again = left_behind(&job).pop().unwrap();
    again.withdraw().unwrap();
    again.remove().unwrap();
    assert!(left_behind(&job).is_empty());
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
    again.remove_by(Instant::now()).unwrap();
}

#[test]
fn a_folder_whose_process_died_while_it_made_it_goes_once_it_is_old() {
    let temporary = tempfile::tempdir().unwrap();
    let job = job(temporary.path(), "a", "1");
    let path = path_of(&job.temporary, "0", true);
    owner::create_private_folder(&path).unwrap();
    File::create(path.join(RECORD)).unwrap();
    assert!(left_behind(&job).is_empty() && path.exists(), "it may be a job that begins");
    let old = SystemTime::now() - 2 * UNFINISHED;
    File::open(&path).unwrap().set_modified(old).unwrap();
    assert!(left_behind(&job).is_empty() && !path.exists());
}

#[test]
fn a_second_try_of_a_job_is_withdrawn_beside_the_first() {
    let temporary = tempfile::tempdir().unwrap();
    let job = job(temporary.path(), "a", "1");
    create(&job).withdraw().unwrap();
    create(&job).withdraw().unwrap();
    let found = left_behind(&job);
    assert_eq!(found.len(), 2);
    for mut folder in found {
        folder.remove().unwrap();
    }
    assert!(left_behind(&job).is_empty());
}

#[test]
fn a_record_of_the_release_before_is_read() {
    let record = r#"{"engine":"podman","job":"1","agent":null,"image":"i","checkout":"/c","made":null}"#;
    let record: Record = serde_json::from_str(record).unwrap();
    assert_eq!(record.container.unwrap().engine, Engine::Podman);
}
