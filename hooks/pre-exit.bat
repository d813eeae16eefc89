@ECHO OFF
REM Cleaning up never fails the job. Without a binary the command hook has not run, and there is
REM nothing to clean up.
SETLOCAL EnableExtensions DisableDelayedExpansion
CALL "%~dp0lib\find-binary.bat" --no-build
IF NOT DEFINED rust_vmm_ci EXIT 0
SET "ERRORLEVEL="
"%rust_vmm_ci%" hook pre-exit <NUL
REM Not IF ERRORLEVEL 1: a crash is a negative number.
IF NOT "%ERRORLEVEL%"=="0" ECHO rust-vmm-ci: cleaning up after the job failed; the job's result stands 1>&2
EXIT 0
