"""An operator of our own for the training, as ``BEAM_SEED_TRAINING`` names one: it writes down what it was given."""

from airflow.providers.standard.operators.bash import BashOperator


def operator(task_id, shards):
    return BashOperator(
        task_id=task_id, bash_command='echo "torchrun --shards=$SHARDS" >> "$TRAINED"', env={"SHARDS": shards}, append_env=True
    )
